package storage

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// Cascade undoes a commit together with what blocks that, as one commit, which one rollback undoes.
func (s *Store) Cascade(
	ctx context.Context, dataset string, commit int64, p Policy, r Request,
) (catalog.Commit, error) {
	w, err := s.beginUndo(ctx, dataset, commit, p, r)
	if err != nil {
		return catalog.Commit{}, err
	}
	defer w.end()
	if w.plan.answer.Blocked {
		err = w.undoAll(ctx)
	} else {
		err = w.undoOne(ctx)
	}
	if err != nil {
		return catalog.Commit{}, err
	}
	return publish(ctx, w.work, asCommit)
}

// undoAll makes the work the inverse of the commit and of all that is in its way.
func (w undoWork) undoAll(ctx context.Context) error {
	all := w.plan.all()
	if err := permittedToUndo(ctx, w.head.Dataset, all...); err != nil {
		return err
	}
	if err := w.store.checkCascade(ctx, all); err != nil {
		return err
	}
	w.invertAll(all)
	for _, one := range all {
		if err := checkGatesStay(one); err != nil {
			return err
		}
		w.properties = withFields(w.properties, one.propertiesBefore, one.fields)
		if err := w.undoSchema(one, w.plan.isFollowed(one.commit.ID)); err != nil {
			return err
		}
	}
	// It makes the cascade one commit that can itself be rolled back: undoes reads it.
	w.setParam(cascadeParam, w.plan.order)
	if err := w.undid(ctx, all...); err != nil {
		return err
	}
	// The counts of the parts do not add up where two of them touched the same record.
	return w.writer.countDifference(ctx)
}

// cascadeParam is, of a rollback, the commits that it undid beside its parent, in the order in which they were undone.
const cascadeParam = "cascade"

// undoes are the commits that a rollback undid, the newest first; none, where it was played and they are not here.
func undoes(c catalog.Commit) []int64 {
	if c.Mode != catalog.Rollback || c.ParentCommitID == 0 {
		return nil
	}
	var params struct{ Cascade []int64 }
	// An ordinary rollback has no such parameter.
	if json.Unmarshal(c.Params, &params) != nil {
		params.Cascade = nil
	}
	return append(params.Cascade, c.ParentCommitID)
}

// checkCascade refuses to undo a merge together with other commits: rolled back by itself it counts, for later merges,
// as if it had never been, which no other commit does.
func (h *History) checkCascade(ctx context.Context, all []sets) error {
	return h.catalog.Read(ctx, func(tx catalog.Tx) error {
		for _, one := range all {
			root, err := rootOf(tx, one.commit)
			if err != nil {
				return err
			}
			if root.Mode == catalog.Merge || root.MergeCommitID != 0 {
				return fault.Errorf(fault.Conflict, "cascade_merge", "Commit %d is a merge, or came with one, and can't be undone "+
					"together with others. Roll it back by itself first.", one.commit.ID).With("commit", one.commit.ID)
			}
		}
		return nil
	})
}

// invertAll closes what the commits opened and reopens what they closed, but for what they opened and closed both.
func (d *draft) invertAll(all []sets) {
	d.commit.ParentCommitID = all[len(all)-1].commit.ID
	// A file that one of the commits opened and another one closed is not live before the first nor after the last: its
	// count is 0, and nothing happens to it.
	live, files := map[int64]int{}, map[int64]*catalog.File{}
	d.back = map[string]schema.Schema{}
	for _, one := range all {
		maps.Copy(d.back, one.schemas)
		for _, f := range one.opened {
			live[f.ID]--
			files[f.ID] = f
		}
		for _, f := range one.closed {
			live[f.ID]++
			files[f.ID] = f
		}
	}
	for _, id := range slices.Sorted(maps.Keys(files)) {
		switch live[id] {
		case -1:
			d.closed = append(d.closed, files[id])
		case 1:
			d.reopened = append(d.reopened, files[id])
		}
	}
}
