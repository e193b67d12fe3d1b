package blob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// maxPuts is how many objects are put at once.
const maxPuts = 16

// Batch implements Changes.
func (r *Remote) Batch(key string) (*Batch, error) {
	if err := r.isSettled(); err != nil {
		return nil, err
	}
	b, err := r.Dir.Batch(key)
	if b != nil {
		b.to = r
	}
	return b, err
}

// description is the name of the file that publishes a batch; empty: it has none, and whoever owns it knows whether it
// was published.
func (b *Batch) description() string {
	for _, name := range slices.Backward(b.names) {
		if strings.HasSuffix(name, ".json") {
			return name
		}
	}
	return ""
}

// publish implements publisher: one round of puts for the files, and one for the descriptions. After a crash in the
// second one, a start places what follows on what was there and sets the rest aside: none of it was answered.
func (r *Remote) publish(batches []*Batch, _ bool) error {
	ctx := context.Background()
	if err := r.isSettled(); err != nil {
		return err
	}
	g, together := errgroup.WithContext(ctx)
	g.SetLimit(maxPuts)
	intents := make([]Intent, len(batches))
	for i, b := range batches {
		b.isTried = true // from here on, what is left of it is found by its intent
		intents[i] = Intent{Key: b.key, Description: b.description()}
	}
	if err := r.intend(ctx, intents...); err != nil {
		return err
	}
	g.Go(func() error { return r.isMineStill(together) })
	for _, b := range batches {
		last := b.description()
		for _, name := range b.names {
			if name == last {
				continue
			}
			if err := r.hook("put", named(b.Key(name))); err != nil {
				return errors.Join(err, g.Wait())
			}
			g.Go(func() error { return r.send(together, b, name) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	g, together = errgroup.WithContext(ctx)
	g.SetLimit(maxPuts)
	for _, b := range batches {
		g.Go(func() error { return r.describe(together, b) })
	}
	if err := errors.Join(g.Wait(), r.isMineStill(ctx)); err != nil {
		return err
	}
	for _, b := range batches {
		r.adopt(b)
		r.noteChange(b.key)
		r.ledger.Published(b.key)
	}
	return nil
}

// mineFor is for how long it is relied on that the objects were still to be written here, and TakeOverTime how long a
// server that has others not write them any more waits before it looks at what they published: what they answer for
// was published by then.
const (
	mineFor      = 200 * time.Millisecond
	TakeOverTime = 500 * time.Millisecond
)

// isMineStill is mine, which is not asked for each batch.
func (r *Remote) isMineStill(ctx context.Context) error {
	r.asking.Lock()
	defer r.asking.Unlock()
	// By both clocks: one of them stands still while the machine is suspended, and the other one may be set.
	if since := time.Now().Round(0).Sub(r.asked.Round(0)); time.Since(r.asked) < mineFor && since >= 0 && since < mineFor {
		return nil
	}
	now := time.Now()
	err := r.mine(ctx)
	if err == nil {
		r.asked = now
	}
	return err
}

// describe publishes a batch whose files are there.
func (r *Remote) describe(ctx context.Context, b *Batch) error {
	name := b.description()
	if name == "" {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(r.root, b.staged, name))
	if err != nil {
		return err
	}
	if err := r.hook("put", named(b.Key(name))); err != nil {
		return err
	}
	r.debts.publishing(b.key, data)
	return r.bucket.PutNew(ctx, named(b.Key(name)), data)
}

// adopt moves the files of a published batch to the cache, so that they are not fetched when they are read.
func (r *Remote) adopt(b *Batch) {
	for _, name := range b.names {
		if !strings.HasSuffix(name, ".json") {
			r.cache.adopt(b.Key(name), filepath.Join(r.root, b.staged, name))
		}
	}
	for name := range b.sends {
		if !slices.Contains(b.names, name) { // it did not become one of its files
			b.Unsend(name)
		}
	}
	r.batches.Delete(b.key)
	b.isDone = true
	r.RemoveScratch(filepath.Join(r.root, b.staged))
}

// intend notes batches. One that no description publishes is known by its owner.
func (r *Remote) intend(ctx context.Context, batches ...Intent) error {
	now := time.Now()
	var list []Intent
	for _, i := range batches {
		if i.At = now; i.Description != "" {
			list = append(list, i)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return r.ledger.Intend(ctx, list...)
}

// Renew says of the batches that are being put that they still are, however long that takes. It is called often enough
// that none of their intents is ever as old as an orphan's.
func (r *Remote) Renew(ctx context.Context) error {
	var keys []string
	r.batches.Range(func(key, _ any) bool {
		keys = append(keys, key.(string))
		return true
	})
	return r.ledger.Renew(ctx, keys)
}

// orphanAge is how old what was left of a batch must be before it is removed: an attempt to publish it may still be on
// its way.
const orphanAge = 24 * time.Hour

// Sweep removes what is left of batches that were not published, or were withdrawn, by the intents from before a time,
// which must be a day ago at the least.
func (r *Remote) Sweep(ctx context.Context, now time.Time) (removed []string, err error) {
	late, err := r.ledger.Late(ctx, now, orphanAge)
	if err != nil {
		return nil, err
	}
	for _, in := range late {
		isOrphan, err := r.isOrphan(ctx, in)
		if err != nil {
			return removed, err
		}
		if isOrphan {
			if err := r.mine(ctx); err != nil {
				return removed, err
			}
			if err := errors.Join(r.bucket.Abandon(ctx, below(in.Key)), r.removeAll(ctx, in.Key)); err != nil {
				return removed, err
			}
			removed = append(removed, in.Key)
		}
		if err := r.ledger.Swept(ctx, in.Key); err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// isOrphan reports whether a batch was not published.
func (r *Remote) isOrphan(ctx context.Context, in Intent) (bool, error) {
	if in.IsWithdrawn {
		return true, nil
	}
	text, err := r.bucket.Get(ctx, named(in.Key+"/"+in.Description))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return isTombstone(text), err
}
