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
// commit waits for nothing here. Messages are sent at least once (send.go): a receiver knows one that comes again by
// its id. Where messages may go is in target.go, and is checked when a connection is made (client.go).
//
// feed_test.go has random histories with crashes against a model, send_test.go receivers of all sorts, target_test.go
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

	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/storage"
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
	Server   string                                   // by which alerts of its disk are known from others'; empty: it is alone
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

	onDuty atomic.Bool // this server is the one that queues and sends
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

// Run queues events and sends messages, until ctx ends. It returns once nothing of that is under way. Of several
// servers that share the queue, one does so; what each finds wrong with itself, it queues itself.
func (h *Hooks) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { h.watch(ctx) })
	if h.DB.IsShared() {
		h.Store.Duty(ctx, "webhooks", h.serve)
	} else {
		h.serve(ctx)
	}
	running.Wait()
	h.client.CloseIdleConnections()
}

// serve does what one server does, until ctx ends.
func (h *Hooks) serve(ctx context.Context) {
	h.onDuty.Store(true)
	defer h.onDuty.Store(false)
	var running sync.WaitGroup
	for _, work := range []func(context.Context){h.feed.run, h.clean, newSender(h).run} {
		running.Go(func() { work(ctx) })
	}
	running.Wait()
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
