package storage

import (
	"cmp"
	"context"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// Delta is the actions that one of a fork and its upstream has and the other lacks, oldest first. An action and the
// rollback that undid it, both of them lacking, make no difference and are left out. It is by hash: a change that both
// sides have is on neither list, whichever way it came.
type Delta struct {
	Dataset  snapshot.State // the fork
	Upstream snapshot.State // Dataset.DeletedAt reports whether it is still there
	Actions  []catalog.Commit
}

// SinceForking is what was done on a fork and is not in its upstream (seed 001).
func (h *History) SinceForking(ctx context.Context, fork string) (Delta, error) {
	return h.delta(ctx, fork, func(tx catalog.Tx, d, upstream catalog.Dataset) ([]catalog.Commit, error) {
		return missing(tx, d.ID, upstream.ID)
	})
}

// UpstreamDelta is what was done on the upstream and is not in the fork.
func (h *History) UpstreamDelta(ctx context.Context, fork string) (Delta, error) {
	return h.delta(ctx, fork, func(tx catalog.Tx, d, upstream catalog.Dataset) ([]catalog.Commit, error) {
		return missing(tx, upstream.ID, d.ID)
	})
}

// delta reads both datasets and the actions in one transaction, so that they are of one moment. The upstream may be
// deleted.
func (h *History) delta(
	ctx context.Context, fork string, actions func(tx catalog.Tx, d, upstream catalog.Dataset) ([]catalog.Commit, error),
) (out Delta, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeFor(ctx, tx, fork)
		if err != nil {
			return err
		}
		if err = hideUpstream(ctx, tx, &d); err != nil {
			return err
		}
		if !d.IsFork() {
			return fault.Errorf(fault.NotFound, "not_a_fork",
				"Dataset '%s' is not a fork: it has no upstream to compare with.", d.Name)
		}
		upstream, err := tx.Dataset(d.UpstreamID)
		if err == nil {
			err = permitted(ctx, upstream, upstream.ID)
		}
		if err != nil {
			return err
		}
		states, err := statesOf(tx, []catalog.Dataset{d, upstream})
		if err != nil {
			return err
		}
		out.Dataset, out.Upstream = states[0], states[1]
		all, err := actions(tx, d, upstream)
		// Neither of the two would leave a trace on the other side, so there is nothing to report.
		none := cancelled(all)
		out.Actions = slices.DeleteFunc(all, func(c catalog.Commit) bool { return none[c.ID] })
		return err
	})
	return out, err
}

// missing lists the actions of one dataset that another of its family does not have, by their hashes, oldest first. A
// merge is not an action itself: what it played is. A merge that was rolled back counts as if it had never been, unless
// both have it: so what came with it may come again. Both arguments are ids of datasets. It costs what the two do not
// share.
func missing(tx catalog.Tx, of, from string) ([]catalog.Commit, error) {
	// By hash, which survives being played: by id, what came by a merge would come a second time.
	mine, err := tx.Unshared(of, from)
	if err != nil {
		return nil, err
	}
	theirs, err := tx.Unshared(from, of, catalog.Merge, catalog.Rollback)
	if err != nil {
		return nil, err
	}
	void, err := voidOf(tx, mine)
	if err != nil {
		return nil, err
	}
	// Actions of a merge that was rolled back can come again with another merge.
	again, err := undoneByMerge(tx, of, from, theirs)
	if err != nil {
		return nil, err
	}
	out := slices.DeleteFunc(append(mine, again...), func(c catalog.Commit) bool {
		return void[c.ID] || c.Mode == catalog.Merge || c.Mode == catalog.Fork
	})
	slices.SortFunc(out, byID)
	return slices.CompactFunc(out, func(a, b catalog.Commit) bool { return a.ID == b.ID }), nil
}

// byID orders commits as they were made.
func byID(a, b catalog.Commit) int { return cmp.Compare(a.ID, b.ID) }

// voidOf reports which commits count as if they had never been: those that undone merges played, and the rollbacks of
// merges.
func voidOf(tx catalog.Tx, commits []catalog.Commit) (map[int64]bool, error) {
	void, merges := map[int64]bool{}, map[int64]bool{}
	for _, c := range commits {
		if c.Mode != catalog.Merge {
			continue
		}
		merges[c.ID] = true
		if c.RollbackCommitID == 0 {
			continue
		}
		played, err := tx.Played(c.DatasetID, c.ID)
		if err != nil {
			return nil, err
		}
		for _, p := range played {
			void[p.ID] = true
		}
	}
	for _, c := range commits {
		root, err := rootOf(tx, c)
		if err != nil {
			return nil, err
		}
		if c.Mode == catalog.Rollback && merges[root.ID] {
			void[c.ID] = true
		}
	}
	return void, nil
}

// undoneByMerge lists the actions of a dataset that another had only by merges which it has rolled back. unshared are
// the other's merges and rollbacks that the dataset does not have.
func undoneByMerge(tx catalog.Tx, of, other string, unshared []catalog.Commit) (out []catalog.Commit, err error) {
	void, err := voidOf(tx, unshared)
	if err != nil {
		return nil, err
	}
	for id := range void {
		c, err := tx.Commit(other, id)
		if err != nil {
			return nil, err
		}
		has, err := tx.WithHash(other, c.Hash)
		if err != nil {
			return nil, err
		}
		// It came in another way too, and is there.
		if slices.ContainsFunc(has, func(h catalog.Commit) bool { return !void[h.ID] }) {
			continue
		}
		mine, err := tx.WithHash(of, c.Hash)
		if err != nil {
			return nil, err
		}
		out = append(out, mine...)
	}
	return out, nil
}

// cancelled reports which of some actions have no effect together: commits and the rollback that undoes them, if all of
// these are among the actions.
func cancelled(actions []catalog.Commit) map[int64]bool {
	out, is := map[int64]bool{}, map[int64]bool{}
	for _, a := range actions {
		is[a.ID] = true
	}
	for _, a := range actions {
		// One that undid a commit which is not on the list has an effect on the other side, and stays.
		undone, elsewhere := undoes(a), func(id int64) bool { return !is[id] }
		if a.RollbackCommitID != 0 || len(undone) == 0 || slices.ContainsFunc(undone, elsewhere) {
			continue
		}
		out[a.ID] = true
	}
	for _, a := range actions {
		out[a.ID] = out[a.ID] || out[a.RollbackCommitID]
	}
	return out
}
