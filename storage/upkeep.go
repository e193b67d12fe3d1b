package storage

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/lookup"
	"github.com/rowback/rowback/storage/snapshot"
)

// Upkeep keeps reading as fast as the data allows, however many commits made it: it compacts (compact.go). One runs at
// a time. It changes no state, so it may stop at any moment and begin anew.
type Upkeep struct {
	*Files
	history *History
	staging *Staging
	digests *Digests
	policy  CompactionPolicy

	digestEvery time.Duration // how often digests are computed

	running sync.Mutex
	retired []retired // under running

	filters    *keyFilters
	unfiltered map[string]bool // under running: keys of the filters that files do not need
	read       lookup.Read     // for filters

	mu      sync.Mutex
	changed map[string]bool // datasets with commits since upkeep last looked at them
	unknown map[string]bool // datasets that may have states whose digests are not known
	wake    chan struct{}
	state   UpkeepState
}

// UpkeepState is what upkeep has done since the start.
type UpkeepState struct {
	Running bool
	Pending int // datasets that it has yet to look at
	Done    Compacted
	Failed  int64

	Filters     int64 // key filters made
	FilterBytes int64
}

func newUpkeep(
	files *Files, history *History, staging *Staging, digests *Digests, filters *keyFilters, p CompactionPolicy,
) *Upkeep {
	return &Upkeep{
		Files: files, history: history, staging: staging, digests: digests, filters: filters, policy: p,
		unfiltered: map[string]bool{}, changed: map[string]bool{}, unknown: map[string]bool{},
		wake: make(chan struct{}, 1), digestEvery: time.Minute,
	}
}

// plan returns the next compacted file that a state is to get.
func (u *Upkeep) plan(s *snapshot.Snapshot) (compaction, bool) {
	return planner{s, u.policy, u.isDamaged()}.plan()
}

// note notes that a dataset has a new commit.
func (u *Upkeep) note(dataset string) {
	u.mu.Lock()
	u.changed[dataset], u.unknown[dataset] = true, true
	u.mu.Unlock()
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// State returns what upkeep has done.
func (u *Upkeep) State() UpkeepState {
	u.mu.Lock()
	defer u.mu.Unlock()
	state := u.state
	state.Pending = len(u.changed)
	return state
}

func (u *Upkeep) change(f func(*UpkeepState)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f(&u.state)
}

// Plan returns what upkeep would do for a dataset now. What it makes may then be compacted again.
func (u *Upkeep) Plan(ctx context.Context, dataset string) (plan Compacted, err error) {
	s, err := u.history.Snapshot(ctx, dataset, "head")
	if err != nil {
		return plan, err
	}
	if c, ok := u.plan(s); ok {
		plan.add(Compacted{Made: 1, Files: len(c.parts), Rows: c.rows})
		plan.Bytes = c.bytes()
	}
	return plan, nil
}

// Opens returns how many files reading a dataset's newest state opens now.
func (u *Upkeep) Opens(ctx context.Context, dataset string) (files int, err error) {
	s, err := u.history.Snapshot(ctx, dataset, "head")
	if err != nil {
		return 0, err
	}
	return len(s.Opens()), nil
}

// Compact compacts a dataset as far as is needed. It is refused while other upkeep runs.
func (u *Upkeep) Compact(ctx context.Context, dataset string) (done Compacted, err error) {
	if !u.running.TryLock() {
		return done, errBusy
	}
	defer u.running.Unlock()
	return u.compactAll(ctx, dataset, func(time.Duration) error { return nil })
}

// compactAll makes compacted files for a dataset until it needs none, with a pause after each, which is told how long
// that took.
func (u *Upkeep) compactAll(
	ctx context.Context, dataset string, pause func(took time.Duration) error,
) (done Compacted, err error) {
	u.change(func(s *UpkeepState) { s.Running = true })
	defer u.change(func(s *UpkeepState) { s.Running = false })
	if err := u.removeRetired(); err != nil {
		return done, err
	}
	var last compaction
	for {
		began := time.Now()
		s, err := u.history.Snapshot(ctx, dataset, "head")
		if err == nil {
			err = u.removeLost(ctx, s.Dataset.FamilyID)
		}
		if err != nil {
			return done, err
		}
		made, c, err := u.compactOnce(ctx, s, last)
		last = c
		if fault.KindOf(err) == fault.Corrupt {
			continue // it is known and reported now, and what can be read is compacted without it
		}
		if err != nil {
			return done, err
		}
		if made == nil {
			err = u.filterAll(ctx, s, &done, pause)
			return done, err
		}
		one := Compacted{Made: 1, Files: len(c.parts), Rows: made.Rows, Bytes: made.Bytes}
		done.add(one)
		u.change(func(s *UpkeepState) { s.Done.add(one) })
		if err := pause(time.Since(began)); err != nil {
			return done, err
		}
	}
}

// roomFor is how many times the bytes that it reads upkeep leaves free: room on a small disk is for commits.
const roomFor = 4

var errSmallDisk = fault.New(fault.Unavailable, "disk_low").Sayf(
	"The server's disk has too little room left to compact. Make room, then ask again; nothing else depends on it.")

// compactOnce makes one compacted file. What was made just before is not made again: something keeps it from being
// used.
func (u *Upkeep) compactOnce(
	ctx context.Context, s *snapshot.Snapshot, last compaction,
) (made *catalog.Compacted, c compaction, err error) {
	c, ok := u.plan(s)
	if !ok || last.parts != nil && sameCompaction(c, last) {
		return nil, c, nil
	}
	if !u.staging.disk.fits(roomFor * c.bytes()) {
		return nil, c, errSmallDisk
	}
	if made, err = u.compact(ctx, s, c); err != nil {
		u.change(func(s *UpkeepState) { s.Failed++ })
	}
	return made, c, err
}

// upkeepShare is how much longer upkeep pauses than it worked.
const upkeepShare = 3

// upkeepGathers is how long upkeep waits after a commit, so that it looks at many at once.
const upkeepGathers = time.Second

// Keep looks after the datasets in the background, until ctx ends: at first after all of them, then after those with
// new commits. Of several servers, one does.
func (u *Upkeep) Keep(ctx context.Context) { u.Duty(ctx, "upkeep", u.keep) }

func (u *Upkeep) keep(ctx context.Context) {
	var digesting sync.WaitGroup
	digesting.Go(func() { u.keepDigests(ctx) })
	digesting.Go(func() { u.afterEnds(ctx, u.sweepAmongOthers) })
	defer digesting.Wait()
	if err := u.noteAll(ctx); err != nil && ctx.Err() == nil {
		u.log.Error("upkeep does not know the datasets", "error", err)
	}
	for {
		select {
		case <-u.wake:
		case <-ctx.Done():
			return
		}
		for _, dataset := range u.taken(u.changed) {
			if err := u.lookAfter(ctx, dataset); err != nil && ctx.Err() == nil {
				u.log.Error("upkeep of a dataset was not finished", "dataset", dataset, "error", err)
			}
		}
		if sleep(ctx, upkeepGathers) != nil {
			return
		}
	}
}

// lookAfter compacts a dataset in the background.
func (u *Upkeep) lookAfter(ctx context.Context, dataset string) error {
	u.running.Lock()
	defer u.running.Unlock()
	_, err := u.compactAll(ctx, dataset, func(took time.Duration) error { return sleep(ctx, upkeepShare*took) })
	if errors.Is(err, errDatasetDeleted) {
		return nil
	}
	return err
}

// noteAll notes every dataset.
func (u *Upkeep) noteAll(ctx context.Context) error {
	all, err := u.history.Datasets(ctx, catalog.DatasetFilter{Limit: 1 << 30})
	for _, d := range all {
		u.note(d.Dataset.ID)
	}
	return err
}

// taken takes the datasets that are noted in one of the sets.
func (u *Upkeep) taken(noted map[string]bool) (datasets []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for d := range noted {
		datasets = append(datasets, d)
	}
	clear(noted)
	return datasets
}
