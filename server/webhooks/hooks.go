// Package webhooks sends signed messages about what happens in a store to the URLs that people ask for, as the
// Standard Webhooks specification has them.
//
//	event     something that happened: a commit, a version, damage that was found (event.go)
//	hook      a URL, and which events are sent there (hook_rows.go)
//	delivery  a message about an event to one hook: queued, then delivered, failed or dropped (delivery_rows.go)
//	mark      up to where the events of a dataset were queued (feed.go)
//	alert     something that is wrong for a time: it is an event when it begins (watch.go)
//
// Events of datasets are not handed over: they are derived from what the catalog has after the marks (feed.go), and
// queued in the transaction that moves the marks. So a crash after a commit loses none and queues none twice, and a
// commit waits for nothing here. Messages are sent at least once (send.go): a receiver knows one that comes again by its
// id. Where messages may go is in target.go, and is checked when a connection is made (client.go).
//
// feed_test.go has random histories with crashes against a model, send_test.go receivers of all sorts, client_test.go
// addresses; fixtures/clients/test_webhooks.py kills the server and verifies signatures by another implementation.
package webhooks

import (
	"cmp"
	"context"
	"database/sql"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"rowback/server/settings"
	"rowback/storage"
	"rowback/storage/fault"
)

// Options configure webhooks. The zero value of each but Store and DB works.
type Options struct {
	Store    *storage.Store
	DB       *settings.DB
	Signal   *Signal // that the store's changes are told to; nil: what changes is found at the start only
	Allowed  Allowed
	Schedule Schedule
	Bounds   Bounds
	Senders  int                                      // messages on their way at once; 0: 8
	PerHost  int                                      // of them, to one host; 0: 2
	Findings func(context.Context) ([]Finding, error) // of the monitor; nil: none
	Watch    time.Duration                            // how often disk and damage are looked at; 0: 10 s
	Monitor  time.Duration                            // how often the monitor is asked; 0: 5 min
	Version  string                                   // of the program, for User-Agent
	Log      *slog.Logger
	Now      func() time.Time
}

// filled returns the options with defaults in place of zeros.
func (o Options) filled() Options {
	if o.Signal == nil {
		o.Signal = NewSignal()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Schedule, o.Bounds = o.Schedule.filled(), o.Bounds.filled()
	o.Senders, o.PerHost = cmp.Or(o.Senders, 8), cmp.Or(o.PerHost, 2)
	o.Watch, o.Monitor = cmp.Or(o.Watch, 10*time.Second), cmp.Or(o.Monitor, 5*time.Minute)
	return o
}

// Hooks are the webhooks of a server.
type Hooks struct {
	Options
	client *http.Client
	due    chan struct{} // something was queued, or may be sent now
	feed   feed
	counts counts
	tests  chan struct{} // tests on their way
}

// counts are what has happened since the start, for the metrics.
type counts struct{ delivered, failed, dropped, attempts atomic.Int64 }

// New returns the webhooks of a store. They do nothing until Run.
func New(o Options) *Hooks {
	o = o.filled()
	h := &Hooks{
		Options: o, client: newClient(o.Allowed, o.Schedule.Timeout), due: make(chan struct{}, 1),
		tests: make(chan struct{}, 4),
	}
	h.feed.Hooks = h
	return h
}

// Run queues events and sends messages, until ctx ends. It returns once nothing of that is under way.
func (h *Hooks) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, work := range []func(context.Context){h.feed.run, h.watch, h.clean, newSender(h).run} {
		running.Go(func() { work(ctx) })
	}
	running.Wait()
	h.client.CloseIdleConnections()
}

// now is the time, to the microsecond, as it is stored.
func (h *Hooks) now() time.Time { return h.Now().UTC().Truncate(time.Microsecond) }

// wake has the sender look for what is due.
func (h *Hooks) wake() {
	select {
	case h.due <- struct{}{}:
	default:
	}
}

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
	h.feed.mu.Lock() // whoever queues events for it
	defer h.feed.mu.Unlock()
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

// enqueueAll queues events for the webhooks that want them.
func (h *Hooks) enqueueAll(tx *sql.Tx, all []Hook, events []Event) error {
	now := h.now()
	for _, to := range all {
		for _, e := range events {
			if !to.wants(e) {
				continue
			}
			if err := enqueue(tx, to, e, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// clean keeps the queues and what is kept of them within their bounds. It looks now and then, as to count takes longer
// than to queue.
func (h *Hooks) clean(ctx context.Context) {
	h.every(ctx, time.Minute, func() error {
		all, err := hooks(h.DB)
		if err != nil {
			return err
		}
		for _, to := range all {
			if err := h.DB.Write(ctx, func(tx *sql.Tx) error {
				n, err := drop(tx, to.ID, h.Bounds, h.now())
				if err != nil {
					return err
				}
				h.counts.dropped.Add(n)
				return prune(tx, to.ID, h.Bounds, h.now())
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// every does something at once and then again and again, until ctx ends. What fails is logged.
func (h *Hooks) every(ctx context.Context, d time.Duration, do func() error) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		if err := do(); err != nil && ctx.Err() == nil {
			h.Log.Error("webhooks: work in the background failed and is tried again", "error", err)
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}
