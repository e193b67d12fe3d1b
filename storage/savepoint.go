package storage

import (
	"cmp"
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// Savepoints lists a dataset's savepoints, newest first. A revert hides the savepoints made after its target, as long
// as it is in effect.
func (h *History) Savepoints(ctx context.Context, dataset string) (list []catalog.Savepoint, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		if list, err = savepoints(tx, dataset); err != nil {
			return err
		}
		return hideForkNotes(ctx, tx, dataset, list)
	})
	return list, err
}

// savepoints are those of a dataset, the newest first, without those that a revert left behind.
func savepoints(tx catalog.Tx, dataset string) ([]catalog.Savepoint, error) {
	all, err := tx.Savepoints(dataset)
	if err != nil || len(all) == 0 {
		return all, err
	}
	reverts, err := revertsOf(tx, dataset)
	return slices.DeleteFunc(all, func(p catalog.Savepoint) bool {
		return slices.ContainsFunc(reverts, func(r revert) bool { return r.number < p.Number && p.CommitID < r.commit })
	}), err
}

// revert is a restore of a savepoint that stands. Savepoints between the two are not on the list.
type revert struct {
	number int64 // the savepoint's
	commit int64
}

const savepointParam = "savepoint" // of a restore: the number of the savepoint that was reverted to

// revertsOf lists the reverts of a dataset's own savepoints. One that a merge played went back to another's.
func revertsOf(tx catalog.Tx, dataset string) (out []revert, err error) {
	restores, err := tx.Standing(dataset, catalog.Restore)
	for _, c := range restores {
		var params map[string]any
		if c.MergeCommitID != 0 || json.Unmarshal(c.Params, &params) != nil {
			continue
		}
		if number, ok := params[savepointParam].(float64); ok {
			out = append(out, revert{int64(number), c.ID})
		}
	}
	return out, err
}

// savepoint finds a savepoint on the list.
func savepoint(
	tx catalog.Tx, d catalog.Dataset, is func(catalog.Savepoint) bool, ref string,
) (catalog.Savepoint, error) {
	list, err := savepoints(tx, d.ID)
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i], err
	}
	return catalog.Savepoint{}, cmp.Or(err, error(fault.Errorf(fault.NotFound, "savepoint_not_found",
		"Savepoint %s not found for dataset '%s'", fault.Clip(ref), d.Name)))
}

// FindSavepoint returns a savepoint of a dataset by its id or its name (master__000003).
func (h *History) FindSavepoint(ctx context.Context, dataset, ref string) (p catalog.Savepoint, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeFor(ctx, tx, dataset)
		if err != nil {
			return err
		}
		p, err = savepoint(tx, d, func(p catalog.Savepoint) bool {
			return p.ID == ref || SavepointName(p.Number) == ref
		}, ref)
		if err != nil {
			return err
		}
		one := []catalog.Savepoint{p}
		err = hideForkNotes(ctx, tx, dataset, one)
		p = one[0]
		return err
	})
	return p, err
}

// NewSavepoint is what a savepoint is made with. An automatic one never takes the description of the first import's
// savepoint.
type NewSavepoint struct {
	Description string
	Automatic   bool // no one asked for it
}

// Marked is the result of CreateSavepoint. Made is false where nothing had changed since the last savepoint: then it is
// that one.
type Marked struct {
	catalog.Savepoint
	Made bool
}

// CreateSavepoint bookmarks the head, unless nothing has changed since the last savepoint. Where that one was made with
// the dataset's first records, by itself, it takes the description that someone gives it now.
func (s *Store) CreateSavepoint(
	ctx context.Context, dataset string, n NewSavepoint, r Request,
) (out Marked, err error) {
	unlock, err := s.lock(ctx, dataset, r)
	if err != nil {
		return out, err
	}
	defer unlock()
	head, err := s.Snapshot(ctx, dataset, "head")
	if err != nil {
		return out, err
	}
	if err := r.expects(head.Dataset); err != nil {
		return out, err
	}
	err = s.label(ctx, r, func(tx catalog.Tx, l *labels) error {
		var written bool
		if out, written, err = s.bookmarkHead(tx, head, n, r.User); err != nil {
			return err
		}
		a, err := answer(s.Requests, tx, r, out)
		if err != nil {
			return err
		}
		if err := a.record(tx); err != nil || !written && a.isEmpty() {
			return err
		}
		return l.putSavepoint(out.Savepoint, a)
	})
	return out, err
}

// bookmarkHead records the savepoint, and reports whether that wrote anything.
func (s *Store) bookmarkHead(
	tx catalog.Tx, head *snapshot.Snapshot, n NewSavepoint, user string,
) (m Marked, written bool, err error) {
	last, err := s.unchangedSince(tx, head)
	switch {
	case err != nil:
		return m, false, err
	case last.ID == "":
		p, err := s.addSavepoint(tx, head, n.Description, user)
		return Marked{p, true}, true, err
	// The savepoint of the first import has no one's description yet: the first that someone gives is for it.
	case last.Number == 0 && last.UpdatedAt.Equal(last.CreatedAt) && n.Description != "" && !n.Automatic:
		last.Description, last.UpdatedAt = n.Description, s.now()
		return Marked{last, false}, true, tx.SetSavepoint(last)
	}
	return Marked{last, false}, false, nil
}

// unchangedSince returns the last savepoint, if the head is the state that it bookmarked.
func (h *History) unchangedSince(tx catalog.Tx, head *snapshot.Snapshot) (last catalog.Savepoint, err error) {
	list, err := savepoints(tx, head.Dataset.ID)
	if err != nil || len(list) == 0 {
		return last, err
	}
	then, err := h.snapshot(tx, head.Dataset, list[0].CommitID)
	if isGone(err) {
		return last, nil // a state that is kept is another
	}
	if err != nil || !sameState(then, head) {
		return last, err
	}
	return list[0], nil
}

// sameState reports whether two snapshots of a dataset have the same rows, columns and properties. By the files' ids:
// files never change, so the same files are the same records.
func sameState(a, b *snapshot.Snapshot) bool {
	return slices.Equal(ids(a.Files()), ids(b.Files())) && reflect.DeepEqual(a.Schema.Columns, b.Schema.Columns) &&
		reflect.DeepEqual(a.Properties, b.Properties)
}

// addSavepoint bookmarks a state. Numbers are given once.
func (j *journal) addSavepoint(
	tx catalog.Tx, at *snapshot.Snapshot, description, user string,
) (p catalog.Savepoint, err error) {
	number, err := nextSavepoint(tx, at.Dataset.ID)
	if err != nil {
		return p, err
	}
	now := j.now()
	p = catalog.Savepoint{
		ID: j.newID(), DatasetID: at.Dataset.ID, CommitID: at.Commit.ID, Number: number, Description: description, User: user,
		CreatedAt: now, UpdatedAt: now,
	}
	return p, tx.AddSavepoint(p)
}

// nextSavepoint is the number of a dataset's next savepoint: after all that were given, those in quarantine too.
func nextSavepoint(tx catalog.Tx, dataset string) (int64, error) {
	all, err := tx.Savepoints(dataset)
	if err != nil {
		return 0, err
	}
	// The highest on the list is not enough: those that a damaged label had are given no more either.
	last, err := tx.Last(savepointSequence(dataset))
	if len(all) > 0 {
		last = max(last, all[0].Number)
	}
	return last + 1, err
}

// putSavepoint writes a savepoint's label, with the answers that it had before and those to this request.
func (l *labels) putSavepoint(p catalog.Savepoint, a answers) error {
	name := SavepointName(p.Number)
	kept, err := l.kept(p.DatasetID, name)
	if err != nil {
		return err
	}
	a.Receipts = append(kept.Receipts, a.Receipts...)
	return l.put(p.DatasetID, name, savepointLabel{p, a})
}

// DescribeSavepoint changes a savepoint's description. It is not part of the history: no commit is made, and the head
// stays.
func (s *Store) DescribeSavepoint(
	ctx context.Context, dataset, ref, description string, r Request,
) (catalog.Savepoint, error) {
	p, err := s.FindSavepoint(ctx, dataset, ref)
	if err != nil {
		return p, err
	}
	err = s.label(ctx, r, func(tx catalog.Tx, l *labels) error {
		d, err := activeFor(ctx, tx, dataset)
		if err == nil {
			err = r.expects(d)
		}
		if err != nil || p.Description == description {
			return err
		}
		p.Description, p.UpdatedAt = description, s.now()
		if err := tx.SetSavepoint(p); err != nil {
			return err
		}
		return l.putSavepoint(p, answers{})
	})
	return p, err
}

// isBusy reports whether another commit of the dataset is being made. One that stands may hold its lock for a moment
// more. It is a courtesy to people, not a guarantee: the lock orders the two in any case.
func (j *journal) isBusy(ctx context.Context, dataset string) bool {
	// A commit that has been answered gives its lock back a moment later: a client that goes on at once must not be
	// refused for it.
	for range 20 {
		if !j.catalog.IsLocked(ctx, dataset) {
			return false
		}
		time.Sleep(5 * time.Millisecond)
	}
	return true
}

// Revert restores the dataset to a savepoint, as one commit. Later savepoints leave the list, as long as that commit
// stands. While another commit is being made it is refused: what that one does is not to be lost unseen.
func (s *Store) Revert(ctx context.Context, dataset, ref string, r Request) (catalog.Commit, error) {
	p, err := s.FindSavepoint(ctx, dataset, ref)
	if err != nil {
		return catalog.Commit{}, err
	}
	if s.isBusy(ctx, dataset) {
		return catalog.Commit{}, fault.Errorf(fault.Conflict, "busy",
			"Another commit is being made. Look at what it changed once it is done, then revert.")
	}
	if r.Message == "" {
		r.Message = "Revert to savepoint " + SavepointName(p.Number)
	}
	return s.restore(ctx, dataset, SavepointName(p.Number), r, func(w *work) error {
		w.setParam(savepointParam, p.Number)
		return nil
	})
}
