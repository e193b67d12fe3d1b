package webhooks

import (
	"database/sql"
	"errors"
	"time"
)

// State is what became of a message.
type State string

// The states.
const (
	Queued    State = "queued"    // it is to be sent, perhaps again
	Delivered State = "delivered" // the receiver has taken it
	Failed    State = "failed"    // it was given up
	Dropped   State = "dropped"   // it was never sent: the queue was full, or the webhook disabled for too long
)

// Delivery is a message to one webhook.
type Delivery struct {
	ID        int64
	Hook      string
	Event     string // webhook-id
	Kind      Kind
	Body      string
	State     State
	Attempts  int
	Status    int    // of the last answer; 0: none
	Problem   string // of the last attempt
	CreatedAt time.Time
	FirstAt   time.Time // the first attempt; zero: none yet
	LastAt    time.Time
	NextAt    time.Time // of a queued one: when it is due
}

const deliveryColumns = `id, webhook_id, event_id, kind, body, state, attempts, status, problem, created_at, first_at,
	last_at, next_at`

func scanDelivery(s scanner) (d Delivery, err error) {
	var created, first, last, next int64
	err = s.Scan(&d.ID, &d.Hook, &d.Event, &d.Kind, &d.Body, &d.State, &d.Attempts, &d.Status, &d.Problem, &created,
		&first, &last, &next)
	d.CreatedAt, d.FirstAt, d.LastAt, d.NextAt = moment(created), moment(first), moment(last), moment(next)
	return d, err
}

// enqueue queues an event for a webhook, unless it was before.
func enqueue(tx *sql.Tx, h Hook, e Event, now time.Time) error {
	body, err := e.body()
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO webhook_deliveries
		(webhook_id, event_id, kind, body, state, attempts, status, problem, created_at, first_at, last_at, next_at)
		VALUES (?1, ?2, ?3, ?4, 'queued', 0, 0, '', ?5, 0, 0, ?5) ON CONFLICT (webhook_id, event_id) DO NOTHING`,
		h.ID, e.ID, e.Kind, string(body), micros(now))
	return err
}

// setDelivery records what became of a message.
func setDelivery(tx *sql.Tx, d Delivery) error {
	_, err := tx.Exec(`UPDATE webhook_deliveries SET state = ?1, attempts = ?2, status = ?3, problem = ?4, first_at = ?5,
		last_at = ?6, next_at = ?7 WHERE id = ?8`,
		d.State, d.Attempts, d.Status, d.Problem, micros(d.FirstAt), micros(d.LastAt), micros(d.NextAt), d.ID)
	return err
}

// delivery returns one message to a webhook, or ErrNoDelivery.
func delivery(q querier, hook string, id int64) (Delivery, error) {
	d, err := scanDelivery(q.QueryRow(`SELECT `+deliveryColumns+` FROM webhook_deliveries
		WHERE webhook_id = ?1 AND id = ?2`, hook, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoDelivery
	}
	return d, err
}

// deliveries lists the messages to a webhook with ids below before, the newest first.
func deliveries(q querier, hook string, before int64, limit int) ([]Delivery, error) {
	return list(q, scanDelivery, `SELECT `+deliveryColumns+` FROM webhook_deliveries
		WHERE webhook_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3`, hook, before, limit)
}

// nextDelivery returns the message to a webhook that is due and was queued first; ok is false if there is none.
func nextDelivery(q querier, hook string, now time.Time) (d Delivery, ok bool, err error) {
	d, err = scanDelivery(q.QueryRow(`SELECT `+deliveryColumns+` FROM webhook_deliveries
		INDEXED BY webhook_deliveries_first
		WHERE webhook_id = ?1 AND state = 'queued' AND next_at <= ?2 ORDER BY id LIMIT 1`, hook, micros(now)))
	if errors.Is(err, sql.ErrNoRows) {
		return d, false, nil
	}
	return d, err == nil, err
}

// due is an enabled webhook that has something queued, and when its first message is due.
type due struct {
	Hook
	at time.Time
}

// dueHooks lists the enabled webhooks that have something queued.
func dueHooks(q querier) ([]due, error) {
	return list(q, func(s scanner) (d due, err error) {
		var id string
		var at int64
		if err := s.Scan(&id, &d.URL, &at); err != nil {
			return d, err
		}
		d.ID, d.at = id, moment(at)
		return d, nil
	}, `SELECT id, url, CASE WHEN paused_until > first THEN paused_until ELSE first END
		FROM (SELECT h.id, h.url, h.paused_until,
			(SELECT MIN(d.next_at) FROM webhook_deliveries d INDEXED BY webhook_deliveries_due
				WHERE d.webhook_id = h.id AND d.state = 'queued') AS first
			FROM webhooks h WHERE h.is_enabled) AS queued
		WHERE first IS NOT NULL`)
}

// Bounds are how much is kept. The zero value has the defaults.
type Bounds struct {
	Queued int           // messages to one webhook that wait; 0: 100,000. The oldest of more are dropped
	Kept   int           // messages to one webhook that do not; 0: 1,000
	Age    time.Duration // after which a message is removed, and one that waits dropped; 0: 7 days
}

// filled returns the bounds with defaults in place of zeros.
func (b Bounds) filled() Bounds {
	if b.Queued == 0 {
		b.Queued = 100_000
	}
	if b.Kept == 0 {
		b.Kept = 1_000
	}
	if b.Age == 0 {
		b.Age = 7 * 24 * time.Hour
	}
	return b
}

// drop drops the oldest messages to a webhook that are more than may wait, and those that have waited for too long. It
// returns how many that were.
func drop(tx *sql.Tx, hook string, b Bounds, now time.Time) (int64, error) {
	done, err := tx.Exec(`UPDATE webhook_deliveries SET state = 'dropped', body = '', problem = CASE
		WHEN created_at < ?2 THEN 'It waited for too long.' ELSE 'Too many messages were waiting.' END
		WHERE webhook_id = ?1 AND state = 'queued' AND (created_at < ?2 OR id <= (SELECT id FROM webhook_deliveries
			WHERE webhook_id = ?1 AND state = 'queued' ORDER BY id DESC LIMIT 1 OFFSET ?3))`,
		hook, micros(now.Add(-b.Age)), b.Queued)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

// prune removes messages to a webhook that no longer wait: old ones, and those that are more than is kept.
func prune(tx *sql.Tx, hook string, b Bounds, now time.Time) error {
	_, err := tx.Exec(`DELETE FROM webhook_deliveries
		WHERE webhook_id = ?1 AND state <> 'queued' AND (created_at < ?2 OR id <= (SELECT id FROM webhook_deliveries
			WHERE webhook_id = ?1 AND state <> 'queued' ORDER BY id DESC LIMIT 1 OFFSET ?3))`,
		hook, micros(now.Add(-b.Age)), b.Kept)
	return err
}
