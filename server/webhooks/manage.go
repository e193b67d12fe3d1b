package webhooks

import (
	"context"
	"database/sql"
	"time"

	"github.com/rowback/rowback/storage/fault"
)

// Refusals.
var (
	ErrNotFound   = fault.New(fault.NotFound, "webhook_not_found").Sayf("There is no such webhook.")
	ErrNoDelivery = fault.New(fault.NotFound, "delivery_not_found").Sayf("This webhook has no such delivery.")
	errTooMany    = fault.New(fault.Conflict, "too_many_webhooks").Sayf(
		"The server has %d webhooks, the most that it can have. Delete one first.", maxHooks)
	errDisabled = fault.New(fault.Conflict, "webhook_disabled").Sayf(
		"The webhook is disabled. Enable it, then send this again.")
	errNoBody = fault.New(fault.Conflict, "delivery_dropped").Sayf(
		"The message was dropped, and its text is not kept. Ask the API for what it told of.")
	errBusy = fault.New(fault.Unavailable, "too_many_tests").Sayf("Other webhooks are being tested. Send this again.")
)

// maxHooks is how many webhooks a server has at most: each event is matched with all of them.
const maxHooks = 1000

// Create makes a webhook. It gets what happens from now on. The result has its secret, which no later answer has.
func (h *Hooks) Create(ctx context.Context, n Hook) (Hook, error) {
	now := h.now()
	n.ID, n.Secret, n.IsEnabled, n.CreatedAt, n.UpdatedAt = newID("whk_"), newSecret(), true, now, now
	return n, h.feed.joined(ctx, func(tx *sql.Tx) error {
		var there int
		if err := tx.QueryRow(`SELECT count(*) FROM webhooks`).Scan(&there); err != nil {
			return err
		}
		if there >= maxHooks {
			return errTooMany
		}
		return putHook(tx, n)
	})
}

// List lists webhooks by id.
func (h *Hooks) List() ([]Hook, error) { return hooks(h.DB) }

// Find returns a webhook.
func (h *Hooks) Find(id string) (Hook, error) { return hook(h.DB, id) }

// Edit changes a webhook. One that is enabled again gets what happens from then on, and what was queued before.
func (h *Hooks) Edit(ctx context.Context, id string, change func(*Hook)) (edited Hook, err error) {
	err = h.feed.joined(ctx, func(tx *sql.Tx) error {
		if edited, err = hook(tx, id); err != nil {
			return err
		}
		was := edited.IsEnabled
		change(&edited)
		edited.UpdatedAt = h.now()
		if edited.IsEnabled && !was {
			edited.DisabledReason, edited.Failures = "", 0
			edited.FailingSince, edited.PausedUntil = time.Time{}, time.Time{}
		}
		return putHook(tx, edited)
	})
	h.wake()
	return edited, err
}

// Delete removes a webhook with its messages.
func (h *Hooks) Delete(ctx context.Context, id string) error {
	end, err := h.feed.begin(ctx) // whoever queues events for it
	if err != nil {
		return err
	}
	defer end()
	return h.DB.Write(ctx, func(tx *sql.Tx) error {
		if _, err := hook(tx, id); err != nil {
			return err
		}
		_, err := tx.Exec(`DELETE FROM webhooks WHERE id = ?1`, id)
		return err
	})
}

// Deliveries lists the messages to a webhook with ids below before, the newest first.
func (h *Hooks) Deliveries(hook string, before int64, limit int) ([]Delivery, error) {
	return deliveries(h.DB, hook, before, limit)
}

// Redeliver queues a message once more, under its id.
func (h *Hooks) Redeliver(ctx context.Context, id string, number int64) (d Delivery, err error) {
	err = h.DB.Write(ctx, func(tx *sql.Tx) error {
		to, err := hook(tx, id)
		if err != nil {
			return err
		}
		if d, err = delivery(tx, id, number); err != nil {
			return err
		}
		switch {
		case !to.IsEnabled:
			return errDisabled
		case d.Body == "":
			return errNoBody
		}
		d.State, d.Attempts, d.FirstAt, d.NextAt = Queued, 0, time.Time{}, h.now()
		to.PausedUntil = time.Time{}
		if err := setDelivery(tx, d); err != nil {
			return err
		}
		return putHook(tx, to)
	})
	h.wake()
	return d, err
}

// Tested is what came of a test.
type Tested struct {
	Delivered bool
	Status    int    // of the answer; 0: there was none
	Problem   string // why it was not delivered
	Took      time.Duration
}

// Test sends a message of the kind Test at once, also to a webhook that is disabled. It is not queued.
func (h *Hooks) Test(ctx context.Context, id string) (t Tested, err error) {
	to, err := h.Find(id)
	if err != nil {
		return t, err
	}
	select {
	case h.tests <- struct{}{}:
		defer func() { <-h.tests }()
	default:
		return t, errBusy
	}
	e := Event{ID: newID("msg_"), Kind: Test, Time: h.now(), Data: map[string]any{"webhook_id": id}}
	body, err := e.body()
	if err != nil {
		return t, err
	}
	o, err := h.send(ctx, to, e.ID, body)
	return Tested{o.delivered(), o.status, o.problem, o.took}, err
}

// Post queues an event that is not of the catalog, such as a backup that failed. It stands when Post returns.
func (h *Hooks) Post(ctx context.Context, e Event) error {
	if e.ID == "" {
		e.ID = newID("msg_")
	}
	if e.Time.IsZero() {
		e.Time = h.now()
	}
	defer h.wake()
	return h.DB.Write(ctx, func(tx *sql.Tx) error {
		all, err := enabledHooks(tx)
		if err != nil {
			return err
		}
		return h.enqueueAll(tx, all, []Event{e})
	})
}
