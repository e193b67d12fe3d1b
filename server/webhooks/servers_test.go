package webhooks

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rowback/rowback/server/settings/settingstest"
)

// beside returns the webhooks of another server of the same store, which shares the queue.
func (w *world) beside(name string) *world {
	w.Helper()
	db, err := settingstest.Open(w.Context(), w.T, w.dir)
	check(w.T, err)
	w.Cleanup(func() { db.Close() })
	other := &world{T: w.T, dir: w.dir, store: w.store, db: db}
	o := w.hooks.Options
	o.DB, o.Signal, o.Server = db, NewSignal(), name
	other.hooks = New(o)
	return other
}

// Two servers run: each event is queued once and sent once, whichever of them makes the webhook, and when the one that
// sends ends, the other one goes on.
func serversShareTheQueue(t *testing.T) {
	one := newWorld(t)
	other := one.beside("other")
	to := receive(t, nil)
	d := one.dataset(1, "people")
	stop := one.run()
	one.eventually("the first sends", func() bool { return one.hooks.onDuty.Load() })
	other.run()
	h := other.hook(Hook{URL: to.URL})
	for range 5 {
		one.commit(d)
	}
	one.eventually("they are delivered", func() bool { return delivered(one.queue(h.ID)) == 5 })
	if other.hooks.onDuty.Load() {
		t.Error("both send")
	}
	stop()
	other.eventually("the other sends", func() bool { return other.hooks.onDuty.Load() })
	last := one.commit(d)
	other.hooks.Signal.Changed(d) // as Store.KeepTold tells it
	other.eventually("it is delivered", func() bool { return delivered(one.queue(h.ID)) == 6 })
	to.mu.Lock()
	defer to.mu.Unlock()
	if len(to.got) != 6 || to.got[5].commit() != last.ID {
		t.Errorf("%d messages arrived", len(to.got))
	}
}

func delivered(all []Delivery) (n int) {
	for _, d := range all {
		if d.State == Delivered {
			n++
		}
	}
	return n
}

// What was queued by another server since is known: nothing is queued again, not even what was forgotten meanwhile.
func TestMarksThatAnotherServerMovedAreReadAgain(t *testing.T) {
	w := newWorld(t)
	h := w.hook(Hook{URL: "http://127.0.0.1/"})
	d := w.dataset(1, "people")
	w.look()
	other := New(w.hooks.Options)
	for range 3 {
		w.commit(d)
	}
	check(t, other.feed.look(t.Context(), nil))
	if n := len(w.queue(h.ID)); n != 4 {
		t.Fatalf("%d messages", n)
	}
	// The queue is emptied, as of old messages.
	check(t, w.db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`DELETE FROM webhook_deliveries`)
		return err
	}))
	w.look()
	if n := len(w.queue(h.ID)); n != 0 {
		t.Errorf("%d messages were queued again", n)
	}
}

// The alert of a disk is that of one server: another one, whose disk has room, does not end it.
func serversTellOfTheirDisks(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Server = "one" })
	h := w.hook(Hook{URL: "http://127.0.0.1/"})
	other := w.beside("other")
	w.free.Store(900)
	low, known := w.hooks.diskLow()
	if !known {
		t.Fatal("it is not known")
	}
	check(t, w.hooks.raise(t.Context(), []string{w.hooks.diskAlert()}, low))
	check(t, other.hooks.raise(t.Context(), []string{other.hooks.diskAlert()}, nil))
	check(t, w.hooks.raise(t.Context(), []string{w.hooks.diskAlert()}, low))
	if got := w.told(h.ID, DiskLow); len(got) != 1 {
		t.Errorf("it was told %d times", len(got))
	}
	// Both find the same damage in the same moment: it is told once.
	damage := func() []alert { return []alert{w.hooks.newAlert(damageAlert+"d 1 data", DamageFound, 1, "d", nil)} }
	var both sync.WaitGroup
	for _, hooks := range []*Hooks{w.hooks, other.hooks} {
		both.Go(func() {
			for range 20 {
				check(t, hooks.raise(context.Background(), nil, damage()))
			}
		})
	}
	both.Wait()
	if got := w.told(h.ID, DamageFound); len(got) != 1 {
		t.Errorf("damage was told %d times", len(got))
	}
	alerts, err := w.hooks.alerts()
	check(t, err)
	var names []string
	for a := range alerts {
		names = append(names, strings.TrimPrefix(a.name, "damage "))
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"d 1 data", "disk of one"}) {
		t.Errorf("%q", names)
	}
}
