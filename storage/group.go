package storage

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/trace"
)

// group is commits of one dataset that become durable together (design, section 11). Each is made on the one before it,
// which is not in the catalog yet, and has an id, files, a description and an answer of its own. They share what takes
// time: the syncs and the catalog's transaction. Whoever holds the dataset's lock prepares a commit, then hands the
// lock and the group to the next in the queue, if that is a small commit too. The last of them makes the group durable,
// and no one is answered before. A commit that is refused does not affect the others. If the disk or the catalog
// refuses the group, all of it fails, since its commits are made on each other. A commit that is not small is a group
// of its own.
type group struct {
	store  *Store
	since  time.Time // when the first was prepared
	ready  []*ready  // the oldest first
	family *family
	rowIDs idSource           // the lock on row ids, if one of them gave some
	issued bool               // their descriptions may be among the objects
	last   *snapshot.Snapshot // that they leave; nil: not made yet

	leaveQuotas []func() // of its commits; nil: of one that takes nothing

	ended chan struct{} // closed once it is known what became of them
	err   error         // why they do not stand; only once ended is closed; errNotEnded after a panic
}

// ready is a commit that only has to become durable.
type ready struct {
	publication
	batch *blob.Batch
	fits  func(catalog.Tx) error // of its work
	done  chan struct{}          // closed by finish
	err   error                  // why it could not be finished; only once done is closed
}

// finish writes the commit's description, while others of its group are prepared.
func (r *ready) finish() {
	defer close(r.done)
	r.err = errNotEnded // if writing panics
	r.err = r.writeDescription()
}

// groupLimits are how many commits a group has at most, and how long after its first it takes another.
type groupLimits struct {
	most   int
	within time.Duration
}

// defaultGroups: a group that waits longer delays its first commit by more than it saves, and past some dozens of
// commits there is little left to share.
var defaultGroups = groupLimits{most: 64, within: 10 * time.Millisecond}

var errNotEnded = errors.New("the group of this commit was not brought to its end")

func (s *Store) newGroup() *group {
	return &group{store: s, ended: make(chan struct{}), err: errNotEnded}
}

// joins reports whether a change is one of a group: it is small, and as a rule prepared in this process alone.
func (c Change) joins() bool {
	switch c.Upload.Format {
	case intake.JSON, intake.NDJSON, intake.CSV:
	default: // a reader process decodes it
		return false
	}
	return c.Upload.Size <= tinyUpload && c.Mode != catalog.Replace && c.Where == "" && c.Preview == nil && !c.collects
}

// commitInGroup is Commit as one of a group.
func (s *Store) commitInGroup(ctx context.Context, dataset string, c Change) (made catalog.Commit, err error) {
	turn, err := s.catalog.Join(ctx, dataset)
	if err != nil {
		return made, err
	}
	g, ok := turn.Handed().(*group)
	if !ok {
		g = s.newGroup()
	}
	before := len(g.ready)
	// Deferred, so that a panic does not keep the others from their end.
	defer func() {
		// A refusal counts only if the commits stand that it was made on.
		if failed := g.leave(ctx, turn, g.ready[before:]); failed != nil {
			made, err = catalog.Commit{}, failed
		}
	}()
	c.alone, c.group = dataset, g
	return s.commit(ctx, dataset, c)
}

// leave hands the group on, or makes it durable if no one takes it. It returns the group's error once that is known.
// mine is the commit of whoever leaves, unless it was refused.
func (g *group) leave(ctx context.Context, turn *catalog.Turn, mine []*ready) error {
	if len(g.ready) == 0 {
		turn.Leave()
		return nil
	}
	if g.mayGrow() && turn.Hand(g) {
		for _, r := range mine {
			r.finish()
		}
		return trace.Do(ctx, "commit.wait", func(context.Context) error { <-g.ended; return g.err })
	}
	defer turn.Leave()
	return g.stand(context.WithoutCancel(ctx), mine...)
}

// finished waits until all commits of the group are finished, and returns why one could not be.
func (g *group) finished() error {
	var errs []error
	for _, r := range g.ready {
		<-r.done
		errs = append(errs, r.err)
	}
	return errors.Join(errs...)
}

func (g *group) mayGrow() bool {
	limits := g.store.groups
	return len(g.ready) < limits.most && time.Since(g.since) < limits.within
}

// enter makes the work one of its group, which takes over what has to be held until the commit stands.
func (w *work) enter() (*group, *ready) {
	g := w.request.group
	if g == nil {
		g = w.store.newGroup()
	}
	if len(g.ready) == 0 {
		g.since, g.family = time.Now(), w.family
	}
	if g.rowIDs.unlockRowIDs == nil {
		g.rowIDs = w.idSource
	}
	r := &ready{publication: w.publication, batch: w.batch, fits: w.fits, done: make(chan struct{})}
	g.ready, g.last = append(g.ready, r), nil
	g.leaveQuotas = append(g.leaveQuotas, w.leaveQuota)
	w.batch, w.unlockRowIDs, w.leaveQuota = nil, nil, nil
	return g, r
}

// takeHead makes the state that the group leaves the head of another commit; ok is false if there is none yet.
func (w *work) takeHead(g *group) (ok bool) {
	if g == nil || len(g.ready) == 0 {
		return false
	}
	w.head, w.family = g.leaves(), g.family
	if g.rowIDs.unlockRowIDs != nil {
		w.lastRowID, w.unlockRowIDs = g.family.lastRowID.Load(), func() {} // the group holds that lock
	}
	return true
}

// leaves is the snapshot that the group leaves.
func (g *group) leaves() *snapshot.Snapshot {
	if g.last == nil {
		p := &g.ready[len(g.ready)-1].publication
		g.last = p.leaves()
		g.last.Dataset.Head, g.last.Dataset.Name = p.commit.ID, p.properties.Name
	}
	return g.last
}

// end discards what was not published and gives back what the group holds.
func (g *group) end() {
	// It panicked once a start would find its commits.
	if g.issued && errors.Is(g.err, errNotEnded) {
		g.err = g.store.halt(g.err)
	}
	for _, r := range g.ready {
		r.batch.Discard()
	}
	g.rowIDs.releaseRowIDs(g.issued)
	for _, leave := range g.leaveQuotas {
		if leave != nil {
			leave()
		}
	}
	close(g.ended)
}

// disown has the catalog decide that the group's commits do not stand, or that they do.
func (g *group) disown(ctx context.Context) (stand bool, err error) {
	standing := 0
	for _, r := range g.ready {
		stands, err := g.store.catalog.Disown(ctx, r.commit.DatasetID, r.commit.ID)
		if err != nil {
			return false, err
		}
		if stands {
			standing++
		}
	}
	if 0 < standing && standing < len(g.ready) {
		return false, errPartly
	}
	return standing > 0, nil
}

// errPartly is for a group of which a start found only the first commits published.
var errPartly = errors.New("some of the commits that were made together stand")

// batches are the directories of the group's commits.
func (g *group) batches() []*blob.Batch {
	out := make([]*blob.Batch, len(g.ready))
	for i, r := range g.ready {
		out[i] = r.batch
	}
	return out
}

// record records all commits in one transaction.
func (g *group) record(tx catalog.Tx) error {
	// First all that reads: what follows is sent at once.
	for _, r := range g.ready {
		if err := r.answers.goOn(tx); err != nil {
			return err
		}
	}
	for _, r := range g.ready {
		if err := r.record(tx); err != nil {
			return err
		}
		if r.fits == nil {
			continue
		}
		if err := r.fits(tx); err != nil {
			return err
		}
	}
	return nil
}

// withdraw takes the commits of a failed group out of the objects, the newest first, and returns the error to answer
// with: cause, where it is certain that they do not stand; nil where a start has recorded them meanwhile.
func (g *group) withdraw(ctx context.Context, cause error) error {
	// Withdrawn, a commit that stands after all would be lost, so nothing is touched. After a crash of the database, the
	// catalog has it or not.
	isOpen := errors.Is(cause, catalog.ErrUncertain) && !errors.Is(cause, catalog.ErrCrashed)
	if isOpen || catalog.IsLost(cause) {
		return g.store.halt(cause)
	}
	if g.issued {
		if stand, err := g.disown(ctx); err != nil {
			return g.store.halt(errors.Join(cause, err))
		} else if stand {
			return nil
		}
	}
	for _, r := range slices.Backward(g.ready) {
		if err := g.store.withdraw(r.key()); err != nil {
			return g.store.halt(errors.Join(cause, err))
		}
		for _, f := range r.opened {
			g.store.verifier.Forget(f.Key)
		}
	}
	return cause
}
