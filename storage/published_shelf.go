package storage

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/catalog"
)

// Keep removes what has been on the shelf for long, and what has erased records since its server died over it, until
// ctx ends. Of several servers, one does.
func (p *Published) Keep(ctx context.Context) {
	p.Duty(ctx, "published", func(ctx context.Context) {
		for wait := vacuumFirst; sleep(ctx, wait) == nil; wait = vacuumEvery {
			if err := p.tidy(ctx, time.Now().Add(-publishedKept)); err != nil && ctx.Err() == nil {
				p.log.Warn("what was published for engines could not be removed", "error", err)
			}
		}
	})
}

// tidy removes what was put on the shelf before a time, and what has erased records.
func (p *Published) tidy(ctx context.Context, before time.Time) (err error) {
	erases := map[string]int64{}
	return p.blobs.ClearShelf(ctx, "", func(name string, at time.Time) bool {
		family, _, _ := strings.Cut(name, "/")
		if _, known := erases[family]; !known {
			readErr := p.catalog.Read(ctx, func(tx catalog.Tx) error { erases[family], err = eraseOf(tx, family); return err })
			if readErr != nil {
				return false // the next time
			}
		}
		return at.Before(before) || isErased(name, erases[family])
	})
}

// isErased reports whether something has a name on the shelf from before an erase.
func isErased(name string, erase int64) bool {
	_, below, _ := strings.Cut(name, "/")
	number, _, _ := strings.Cut(below, "/")
	n, err := strconv.ParseInt(number, 10, 64)
	return err != nil || n < erase
}

// forget removes all that was published of a family before its last erase.
func (p *Published) forget(ctx context.Context, family string) error {
	var erase int64
	err := p.catalog.Read(ctx, func(tx catalog.Tx) (err error) { erase, err = eraseOf(tx, family); return err })
	if err != nil {
		return err
	}
	p.forgetMade()
	return p.blobs.ClearShelf(ctx, family, func(name string, _ time.Time) bool { return isErased(name, erase) })
}

// forgetMade forgets what this server has put on the shelf.
func (p *Published) forgetMade() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.states)
	clear(p.shelf)
	clear(p.chunks)
}

// lookAtShelf looks whether the current state of a table is still on the shelf, where it is known to have been put. All
// that is there may be removed at any time, as a whole.
func (p *Published) lookAtShelf(ctx context.Context, w wantedStates) error {
	s := p.known(w.key(w.head))
	if s == nil {
		return nil
	}
	_, _, ok, err := p.blobs.Shelved(ctx, s.list)
	if err == nil && !ok {
		p.forgetMade()
	}
	return err
}

// turn waits until no other request makes states of a family.
func (p *Published) turn(ctx context.Context, family string) (done func(), err error) {
	p.mu.Lock()
	turn := p.making[family]
	if turn == nil {
		turn = make(chan struct{}, 1)
		p.making[family] = turn
	}
	p.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
