package storage

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/verify"
)

// A scrub reads every stored file, history and backups included, and compares it with what was written, and checks the
// catalog: damage is found while there may still be a copy. It reads slowly, and ends with its context.

// ScrubPlan is when to scrub, and how fast.
type ScrubPlan struct {
	Every time.Duration                                    // from the end of one to the start of the next
	Rate  int64                                            // bytes a second; 0: no bound
	Sleep func(ctx context.Context, d time.Duration) error // nil: by the clock
}

// ScrubState is how far the scrubs have come.
type ScrubState struct {
	Running   bool
	Files     int64     // of this scrub, or the last: verified
	Bytes     int64     // read
	Done      int64     // scrubs that came to their end
	Completed time.Time // when the last of them did
	Whole     bool      // this server scrubs, and has read every file: what is damaged is all known here
}

// Scrubs are those of a store's files.
type Scrubs struct {
	*Files
	mu    sync.Mutex
	state ScrubState
}

// change changes the state under its lock.
func (s *Scrubs) change(f func(*ScrubState)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.state)
}

// State returns how far the scrubs have come.
func (s *Scrubs) State() (state ScrubState) {
	s.change(func(now *ScrubState) { state = *now })
	return state
}

// Keep scrubs at once and then again and again, until ctx ends. A scrub that fails is tried again at the next time. Of
// several servers, one does.
func (s *Scrubs) Keep(ctx context.Context, p ScrubPlan) {
	s.Duty(ctx, "scrub", func(ctx context.Context) { s.keep(ctx, p) })
}

func (s *Scrubs) keep(ctx context.Context, p ScrubPlan) {
	defer s.change(func(now *ScrubState) { now.Whole = false })
	if p.Sleep == nil {
		p.Sleep = sleep
	}
	for {
		if err := s.Run(ctx, p); err != nil && ctx.Err() == nil {
			s.log.Error("the scrub was not finished", "error", err)
		}
		if p.Sleep(ctx, p.Every) != nil {
			return
		}
	}
}

// Run reads every stored file once. What it finds damaged is logged, and refused from then on (Damaged).
func (s *Scrubs) Run(ctx context.Context, p ScrubPlan) error {
	if p.Sleep == nil {
		p.Sleep = sleep
	}
	s.change(func(now *ScrubState) { now.Running, now.Files, now.Bytes = true, 0, 0 })
	defer s.change(func(now *ScrubState) { now.Running = false })
	one := &scrub{Scrubs: s, plan: p, ctx: ctx}
	if err := errors.Join(one.index(), one.files(), one.compactedFiles(), one.backups()); err != nil {
		return err
	}
	s.change(func(now *ScrubState) { now.Done, now.Completed, now.Whole = now.Done+1, s.now(), true })
	s.log.Info("every stored file was read", "files", s.State().Files, "damaged", len(s.verifier.Damaged()))
	return nil
}

// scrub is one reading of every stored file.
type scrub struct {
	*Scrubs
	plan  ScrubPlan
	ctx   context.Context
	ahead time.Duration // how much faster than the plan's rate it has been
}

// scrubPage is how many files are looked up at once.
const scrubPage = 1000

// index checks the catalog, which a start after an orderly end takes as it is.
func (b *scrub) index() error {
	what, err := b.catalog.Damage(b.ctx)
	if err == nil && what != "" {
		b.distrust(errors.New("the catalog is damaged: " + what))
	}
	return err
}

// files reads every data and rollback file, by id.
func (b *scrub) files() error {
	for last := int64(0); ; {
		var page []*catalog.File
		err := b.catalog.Read(b.ctx, func(tx catalog.Tx) (err error) {
			page, err = tx.FilesAfter(last, scrubPage)
			return err
		})
		if err != nil || len(page) == 0 {
			return err
		}
		// A page at a time and no transaction around it: reading takes hours, and writers must go on.
		for _, f := range page {
			if err := b.read(verify.File(f)); err != nil {
				return err
			}
			last = f.ID
		}
	}
}

// compactedFiles reads every compacted file. One that is damaged is not used any more.
func (b *scrub) compactedFiles() error {
	for last := int64(0); ; {
		var page []*catalog.Compacted
		err := b.catalog.Read(b.ctx, func(tx catalog.Tx) (err error) {
			page, err = tx.CompactedAfter(last, scrubPage)
			return err
		})
		if err != nil || len(page) == 0 {
			return err
		}
		for _, c := range page {
			if b.compacted.usable(c) { // one that was removed meanwhile is not
				if err := b.read(verify.File(&c.File)); err != nil {
					return err
				}
			}
			last = c.ID
		}
	}
}

// backups reads every archive. One may be removed while it is read: what is not there any more is not damage.
func (b *scrub) backups() error {
	var all []catalog.Backup
	if err := b.catalog.Read(b.ctx, func(tx catalog.Tx) (err error) {
		all, err = tx.EveryBackup()
		return err
	}); err != nil {
		return err
	}
	for _, kept := range all {
		o := verify.Archive(kept)
		if err := b.read(o); err != nil {
			return err
		}
		err := b.catalog.Read(b.ctx, func(tx catalog.Tx) error {
			_, err := tx.Backup(kept.DatasetID, kept.ID)
			return err
		})
		if errors.Is(err, catalog.ErrNotFound) {
			b.verifier.Forget(o.Key) // it was removed meanwhile
		}
	}
	return nil
}

// read reads one object. What can't be read for another reason than damage is logged and left for the next time.
func (b *scrub) read(o verify.Object) error {
	err := b.verifier.Scrub(b.ctx, o, func(r io.Reader) io.Reader { return &paced{b, r} })
	if b.ctx.Err() != nil {
		return context.Cause(b.ctx)
	}
	var damage *verify.Damage
	if err != nil && !errors.As(err, &damage) {
		b.log.Warn("a stored file could not be read", "key", o.Key, "error", err)
	}
	b.change(func(now *ScrubState) { now.Files++ })
	return nil
}

// shortest is what it is worth sleeping for.
const shortest = 10 * time.Millisecond

// took notes that bytes were read, and sleeps where that was too fast.
func (b *scrub) took(bytes int64) error {
	b.change(func(now *ScrubState) { now.Bytes += bytes })
	if b.plan.Rate <= 0 {
		return nil
	}
	if b.ahead += time.Duration(float64(bytes) / float64(b.plan.Rate) * float64(time.Second)); b.ahead < shortest {
		return nil
	}
	d := b.ahead
	b.ahead = 0
	return b.plan.Sleep(b.ctx, d)
}

// paced is a reader that keeps to the plan's rate.
type paced struct {
	scrub *scrub
	from  io.Reader
}

// Read reads, and sleeps where that was too fast. It ends with the scrub's context.
func (r *paced) Read(p []byte) (int, error) {
	if err := r.scrub.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.from.Read(p)
	if slept := r.scrub.took(int64(n)); slept != nil {
		return n, slept
	}
	return n, err
}

// sleep waits, unless ctx ends before.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
