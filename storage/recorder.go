package storage

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/rowback/rowback/storage/catalog"
)

// recorder records what is published. Where servers share the catalog, their transactions are one after another, each
// with a sync of its own. So what several datasets of a server record at once is one transaction: who comes first
// leads, and takes along all that come until it begins. What refuses such a transaction is found by recording each
// alone.
type recorder struct {
	*journal

	mu      sync.Mutex
	waiting []*recording
	isBusy  bool // someone leads
}

// recording is what someone records.
type recording struct {
	record func(catalog.Tx) error
	told   chan bool // true: lead; false: it has ended
	err    error     // once it has
}

// record records something in one transaction, perhaps with what others record.
func (r *recorder) record(ctx context.Context, record func(catalog.Tx) error) error {
	if !r.catalog.IsShared() { // each of its transactions waits for nothing but the disk
		return r.untilRecorded(ctx, record)
	}
	mine := &recording{record: record, told: make(chan bool, 1), err: errors.Join(catalog.ErrUncertain, errNotEnded)}
	if !r.enter(mine) && !<-mine.told {
		return mine.err
	}
	var together []*recording
	defer func() { r.leave(mine, together) }() // deferred, so that a panic does not keep the others
	r.settle(ctx, &together)
	return mine.err
}

// enter queues a recording, and reports whether it leads.
func (r *recorder) enter(mine *recording) (leads bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, mine)
	leads, r.isBusy = !r.isBusy, true
	return leads
}

// leave tells those that were taken along that they have ended, and the next one to lead.
func (r *recorder) leave(mine *recording, together []*recording) {
	for _, one := range together {
		if one != mine {
			one.told <- false
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = slices.DeleteFunc(r.waiting, func(one *recording) bool { return one == mine }) // it panicked before
	if r.isBusy = len(r.waiting) > 0; r.isBusy {
		r.waiting[0].told <- true
	}
}

// settle records all that wait once the transaction begins, and notes what came of each.
func (r *recorder) settle(ctx context.Context, together *[]*recording) {
	err := r.untilRecorded(ctx, func(tx catalog.Tx) error {
		if *together == nil { // not tried before
			*together = r.take()
		}
		for _, one := range *together {
			if err := one.record(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if *together == nil {
		*together = r.take()
	}
	isKnown := err == nil || errors.Is(err, catalog.ErrUncertain) || catalog.IsLost(err)
	for _, one := range *together {
		if one.err = err; !isKnown && len(*together) > 1 {
			one.err = r.untilRecorded(ctx, one.record)
		}
	}
}

func (r *recorder) take() []*recording {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.waiting
	r.waiting = nil
	return all
}
