package webhooks

import (
	"context"
	"database/sql"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// sender sends what is due: one message at a time to a webhook, a few at a time to a host, and a bounded number at
// once, so a receiver that hangs holds up nobody but itself. Messages to a webhook are sent in the order in which they
// were queued; one that fails is sent again later, and by then others may have been.
type sender struct {
	*Hooks
	running sync.WaitGroup

	mu     sync.Mutex
	busy   map[string]bool      // webhooks that are being sent to
	hosts  map[string]int       // how many of them each host has
	served map[string]time.Time // when a webhook had its turn last
}

func newSender(h *Hooks) *sender {
	return &sender{Hooks: h, busy: map[string]bool{}, hosts: map[string]int{}, served: map[string]time.Time{}}
}

// longestNap is how long the sender sleeps at most.
const longestNap = time.Minute

// run sends until ctx ends, and waits for what is on its way, which ends with ctx.
func (s *sender) run(ctx context.Context) {
	defer s.running.Wait()
	for ctx.Err() == nil {
		nap, err := s.start(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("webhooks: the queue could not be read, which is tried again", "error", err)
			nap = 5 * time.Second
		}
		t := time.NewTimer(nap)
		select {
		case <-s.due:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// start begins to send to the webhooks whose messages are due, as many as may be, those first whose turn was longest
// ago. It returns how long until the next is due.
func (s *sender) start(ctx context.Context) (nap time.Duration, err error) {
	queued, err := dueHooks(s.DB)
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortFunc(queued, func(a, b due) int { return s.served[a.ID].Compare(s.served[b.ID]) })
	nap, now := longestNap, s.now()
	for _, d := range queued {
		if wait := d.at.Sub(now); wait > 0 {
			nap = min(nap, wait)
			continue
		}
		host := hostOf(d.URL)
		// Whoever is done wakes the sender, so those that have to wait have their turn then.
		if s.busy[d.ID] || len(s.busy) >= s.Senders || s.hosts[host] >= s.PerHost {
			continue
		}
		s.busy[d.ID], s.served[d.ID] = true, now
		s.hosts[host]++
		s.running.Go(func() {
			defer s.done(d.ID, host)
			if err := s.serve(ctx, d.ID); err != nil && ctx.Err() == nil {
				s.Log.Error("webhooks: what became of a message could not be recorded", "webhook", d.ID, "error", err)
				pause(ctx, 5*time.Second)
			}
		})
	}
	return nap, nil
}

// done ends a webhook's turn.
func (s *sender) done(id, host string) {
	s.mu.Lock()
	delete(s.busy, id)
	if s.hosts[host]--; s.hosts[host] == 0 {
		delete(s.hosts, host)
	}
	s.mu.Unlock()
	s.wake()
}

// hostOf is the host that a URL's messages go to.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return plainHost(u.Hostname())
}

// atOnce is how many messages a webhook gets in one turn.
const atOnce = 50

// serve sends messages to a webhook until none is due, one fails, or its turn is over.
func (s *sender) serve(ctx context.Context, id string) error {
	for range atOnce {
		to, err := s.Find(id)
		if err != nil || !to.IsEnabled || to.PausedUntil.After(s.now()) {
			return ignoreGone(err)
		}
		d, ok, err := nextDelivery(s.DB, id, s.now())
		if err != nil || !ok {
			return err
		}
		// Another server may have the duty by now: then the message is that one's.
		if err := ctx.Err(); err != nil {
			return err
		}
		o, err := s.send(ctx, to, d.Event, []byte(d.Body))
		if err != nil || ctx.Err() != nil {
			return err // it is sent again after the next start: at least once, that is
		}
		if err := s.record(ctx, to, d, o); err != nil || !o.delivered() {
			return ignoreGone(err)
		}
	}
	return nil
}

// ignoreGone is an error, unless it is that a webhook was deleted meanwhile.
func ignoreGone(err error) error {
	if err == ErrNotFound || err == ErrNoDelivery { //nolint:errorlint // they are returned as they are
		return nil
	}
	return err
}

// send sends a message to a webhook, signed as of now.
func (h *Hooks) send(ctx context.Context, to Hook, event string, body []byte) (o outcome, err error) {
	// Again: what is allowed may have changed since the webhook was made.
	if err := h.Allowed.CheckURL(to.URL); err != nil {
		return outcome{problem: "The URL can't be used: it " + err.Error() + "."}, nil
	}
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("User-Agent", "Rowback/"+h.Version)
	if err := sign(header, to.Secret, event, h.now(), body); err != nil {
		return o, err
	}
	h.counts.attempts.Add(1)
	return post(ctx, h.client, to.URL, header, body), nil
}

// record records what came of an attempt: in the message, and in the webhook.
func (s *sender) record(ctx context.Context, to Hook, d Delivery, o outcome) error {
	now := s.now()
	d.Attempts++
	d.Status, d.Problem, d.LastAt = o.status, o.problem, now
	if d.FirstAt.IsZero() {
		d.FirstAt = now
	}
	return s.DB.Write(ctx, func(tx *sql.Tx) error {
		current, err := hook(tx, to.ID) // it may have been edited or deleted meanwhile
		if err != nil {
			return err
		}
		if o.delivered() {
			return s.succeed(tx, current, d)
		}
		return s.fail(tx, current, d, o)
	})
}

// succeed records a message that was delivered. If the receiver is back, what has failed before is due at once.
func (s *sender) succeed(tx *sql.Tx, to Hook, d Delivery) error {
	d.State = Delivered
	s.counts.delivered.Add(1)
	if err := setDelivery(tx, d); err != nil || to.Failures == 0 {
		return err
	}
	// One failure may be the message's own, and must not make it be sent again and again.
	if to.Failures > 1 {
		if _, err := tx.Exec(`UPDATE webhook_deliveries SET next_at = ?2
			WHERE webhook_id = ?1 AND state = 'queued' AND next_at > ?2`, to.ID, micros(d.LastAt)); err != nil {
			return err
		}
	}
	to.Failures, to.FailingSince, to.PausedUntil = 0, time.Time{}, time.Time{}
	return putHook(tx, to)
}

// fail records an attempt that failed: when the message is sent again, if it is, and whether the webhook goes on.
func (s *sender) fail(tx *sql.Tx, to Hook, d Delivery, o outcome) error {
	now, plan := d.LastAt, s.Schedule
	d.NextAt = now.Add(max(plan.wait(d.Attempts), o.retryAfter))
	if o.status == http.StatusGone || d.NextAt.Sub(d.FirstAt) > plan.GiveUp {
		d.State = Failed
		s.counts.failed.Add(1)
	}
	to.Failures++
	if to.FailingSince.IsZero() {
		to.FailingSince = now
	}
	to.PausedUntil = now.Add(max(plan.pause(to.Failures), o.retryAfter))
	switch {
	case o.status == http.StatusGone:
		to.IsEnabled, to.DisabledReason = false, "The receiver answered 410: it wants no more messages."
	case now.Sub(to.FailingSince) > plan.Disable:
		to.IsEnabled, to.DisabledReason = false, "Nothing could be delivered since "+to.FailingSince.Format(time.RFC3339)+"."
	}
	if !to.IsEnabled {
		s.Log.Warn("a webhook was disabled", "webhook", to.ID, "reason", to.DisabledReason)
	}
	if err := setDelivery(tx, d); err != nil {
		return err
	}
	return putHook(tx, to)
}
