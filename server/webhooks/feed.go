package webhooks

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/rowback/rowback/storage/catalog"
)

// Signal has the names of datasets that something was recorded of. Changed costs a commit nothing but a short lock.
type Signal struct {
	mu    sync.Mutex
	names map[string]bool
	wake  chan struct{}
}

// NewSignal returns a signal.
func NewSignal() *Signal { return &Signal{names: map[string]bool{}, wake: make(chan struct{}, 1)} }

// Changed notes that something was recorded of a dataset.
func (s *Signal) Changed(dataset string) {
	s.mu.Lock()
	s.names[dataset] = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take returns what was noted since the last time.
func (s *Signal) take() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := s.names
	s.names = map[string]bool{}
	return names
}

// mark is up to where the events of a dataset were queued.
type mark struct {
	commit  int64     // the last
	deleted time.Time // when the dataset was deleted; zero: it was not
}

// feed queues the events of datasets: those after the marks. Marks are in the database, and moved in the transaction
// that queues the events. While no webhook is enabled, there are none.
type feed struct {
	*Hooks
	mu      sync.Mutex // held while events are looked for
	marks   map[string]mark
	moves   int64 // how often the marks had been moved when they were read, or moved here
	version int64 // the last whose event was queued

	proposals map[proposalKey]proposalMark
	since     time.Time // what happened to proposals before is not told

	discussions    map[catalog.Compared]discussionMark
	discussedSince time.Time // what was said about comparisons before is not told
}

// pageSize is how many commits, versions or datasets are looked at in one transaction.
const pageSize = 500

// run looks at all datasets once, for what was recorded before the last end, and then at those that change.
func (f *feed) run(ctx context.Context) {
	names := map[string]bool(nil) // all
	f.Signal.take()               // which are among them
	for {
		if err := f.look(ctx, names); err != nil && ctx.Err() == nil {
			f.Log.Error("webhooks: events could not be queued, which is tried again", "error", err)
			names = nil // whatever was done of it
			if !pause(ctx, 5*time.Second) {
				return
			}
			continue
		}
		select {
		case <-f.Signal.wake:
		case <-ctx.Done():
			return
		}
		// Where the queue is shared, looking asks the database, and keeps other servers from it.
		if f.DB.IsShared() && !pause(ctx, gatherTime) {
			return
		}
		names = f.Signal.take()
	}
}

// gatherTime is for how long changes are gathered before they are looked at.
const gatherTime = 100 * time.Millisecond

// pause waits, and reports false if ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// begin waits until no one looks for events, on any server that shares the queue.
func (f *feed) begin(ctx context.Context) (end func(), err error) {
	f.mu.Lock()
	if !f.DB.IsShared() {
		return f.mu.Unlock, nil
	}
	unlock, err := f.Store.Exclude(ctx, "webhooks")
	if err != nil {
		f.mu.Unlock()
		return nil, err
	}
	return func() { unlock(); f.mu.Unlock() }, nil
}

// look queues the events of some datasets; nil: of all.
func (f *feed) look(ctx context.Context, names map[string]bool) error {
	// Most often there is none: then nothing is kept from others. The marks of one that is enabled begin when it is.
	if all, err := enabledHooks(f.DB); err != nil || len(all) == 0 {
		return err
	}
	end, err := f.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	all, err := enabledHooks(f.DB)
	if err != nil {
		return err
	}
	return f.lookFor(ctx, all, names)
}

// lookFor queues events for webhooks, between begin and end.
func (f *feed) lookFor(ctx context.Context, hooks []Hook, names map[string]bool) error {
	if len(hooks) == 0 {
		f.marks = nil
		return nil
	}
	if err := f.load(); err != nil {
		return err
	}
	r := &round{
		feed: f, ctx: ctx, hooks: hooks, marks: map[string]mark{}, version: f.version, told: map[proposalKey]proposalMark{},
		discussed: map[catalog.Compared]discussionMark{},
	}
	err := r.look(names)
	if err == nil {
		err = r.flush()
	}
	if err != nil {
		f.marks = nil // read again: what was written is not known
	}
	return err
}

// load reads the marks, unless those that are known are as no one else has moved them.
func (f *feed) load() error {
	var version, moves int64
	if err := f.DB.QueryRow(`SELECT last, moves FROM webhook_versions`).Scan(&version, &moves); err != nil {
		return err
	}
	if f.marks != nil && moves == f.moves {
		return nil
	}
	f.marks = nil
	marks := map[string]mark{}
	_, err := list(f.DB, func(s scanner) (none struct{}, err error) {
		var id string
		var m mark
		var deleted int64
		err = s.Scan(&id, &m.commit, &deleted)
		m.deleted = moment(deleted)
		marks[id] = m
		return none, err
	}, `SELECT dataset_id, commit_id, deleted_at FROM webhook_marks`)
	if err != nil {
		return err
	}
	if err := errors.Join(f.loadProposals(), f.loadDiscussions()); err != nil {
		return err
	}
	f.marks, f.version, f.moves = marks, version, moves
	return nil
}

// joined changes the webhooks in a transaction, after what was recorded by then was queued for those that are enabled.
// Where none was, the marks are set to what is recorded now.
func (f *feed) joined(ctx context.Context, change func(*sql.Tx) error) error {
	end, err := f.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	all, err := enabledHooks(f.DB)
	if err != nil {
		return err
	}
	if len(all) > 0 {
		if err := f.lookFor(ctx, all, f.Signal.take()); err != nil {
			f.Signal.Changed("") // what was taken is looked for again: nothing has this name, so that all are
			return err
		}
		return f.DB.Write(ctx, change)
	}
	now, told, last, err := f.present(ctx)
	if err != nil {
		return err
	}
	f.marks = nil
	return f.DB.Write(ctx, func(tx *sql.Tx) error {
		for _, forget := range []string{`DELETE FROM webhook_marks`, `DELETE FROM webhook_proposals`} {
			if _, err := tx.Exec(forget); err != nil {
				return err
			}
		}
		if err := errors.Join(setProposals(tx, told), forgetDiscussions(tx, f.now())); err != nil {
			return err
		}
		if err := setMarks(tx, now, last); err != nil {
			return err
		}
		return change(tx)
	})
}

// present returns the marks as of now.
func (f *feed) present(
	ctx context.Context,
) (marks map[string]mark, told map[proposalKey]proposalMark, version int64, err error) {
	marks, told = map[string]mark{}, map[proposalKey]proposalMark{}
	err = f.Store.EveryDataset(ctx, pageSize, func(page []catalog.Dataset) error {
		for _, d := range page {
			marks[d.ID] = mark{d.Head, d.DeletedAt}
			proposals, err := f.Store.AllProposals(ctx, d.ID)
			if err != nil {
				return err
			}
			for _, p := range proposals {
				told[proposalKey{d.ID, p.Number}] = markOf(p)
			}
		}
		return nil
	})
	if err == nil {
		version, err = f.Store.LastVersion(ctx)
	}
	return marks, told, version, err
}

// setMarks records marks, and the last version.
func setMarks(tx *sql.Tx, marks map[string]mark, version int64) error {
	for id, m := range marks {
		if _, err := tx.Exec(`INSERT INTO webhook_marks (dataset_id, commit_id, deleted_at) VALUES (?1, ?2, ?3)
			ON CONFLICT (dataset_id) DO UPDATE SET commit_id = excluded.commit_id, deleted_at = excluded.deleted_at`,
			id, m.commit, micros(m.deleted)); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`UPDATE webhook_versions SET last = ?1, moves = moves + 1`, version)
	return err
}
