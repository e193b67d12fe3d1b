package storage

import (
	"errors"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// flip notes that a rollback undoes a commit, or, with 0, that it stands again, and what follows from that: what it
// played goes with it, and what it undid itself stands again, or does not. marks are what the commit that is being made
// changes; what is not among them is as the catalog has it.
func flip(tx catalog.Tx, marks map[int64]int64, c catalog.Commit, rollback int64) error {
	was := undoneBy(marks, c)
	marks[c.ID] = rollback
	// A rollback that is undone is a redo: what it had undone stands again. A redo that is undone ends it again.
	if c.Mode == catalog.Rollback {
		for _, parent := range undoes(c) {
			if err := flipParent(tx, marks, c, parent, rollback); err != nil {
				return err
			}
		}
		return nil
	}
	// What a merge played goes with it, but for what someone had undone before: that stays so, whatever the merge does.
	if c.Mode != catalog.Merge {
		return nil
	}
	played, err := tx.Played(c.DatasetID, c.ID)
	for _, p := range played {
		if undoneBy(marks, p) == was { // else it was undone by itself
			err = errors.Join(err, flip(tx, marks, p, rollback))
		}
	}
	return err
}

// flipParent notes what it means for a commit that a rollback undid it, and is undone itself, or, with 0, stands again.
func flipParent(tx catalog.Tx, marks map[int64]int64, c catalog.Commit, id, rollback int64) error {
	parent, err := tx.Commit(c.DatasetID, id)
	if err != nil {
		return err
	}
	if by := undoneBy(marks, parent); rollback == 0 && by != 0 {
		return fault.Errorf(fault.Conflict, "undone_twice",
			"Commit %d would be undone twice: commit %d undoes it already. Roll that back first.", parent.ID, by)
	}
	if rollback == 0 {
		return flip(tx, marks, parent, c.ID)
	}
	// The parent stands again, unless it came with a merge that is undone itself: then that is what undoes it.
	undone, err := undoneWithMerge(tx, marks, parent)
	if err != nil {
		return err
	}
	return flip(tx, marks, parent, undone)
}

// undoneWithMerge is the rollback that undoes the merge which a commit was played by; 0: none.
func undoneWithMerge(tx catalog.Tx, marks map[int64]int64, c catalog.Commit) (int64, error) {
	if c.MergeCommitID == 0 {
		return 0, nil
	}
	merge, err := tx.Commit(c.DatasetID, c.MergeCommitID)
	return undoneBy(marks, merge), err
}

// undoneBy is the rollback that undoes a commit, as marked, or else as the catalog has it.
func undoneBy(marks map[int64]int64, c catalog.Commit) int64 {
	if rollback, ok := marks[c.ID]; ok {
		return rollback
	}
	return c.RollbackCommitID
}

// isExplicit reports whether a commit, or one that it undid in the end, changed columns because people said so.
func isExplicit(tx catalog.Tx, c catalog.Commit) (bool, error) {
	roots, err := rootsOf(tx, c)
	return slices.ContainsFunc(roots, isSchema), err
}

// isSchema reports whether a commit is about variables.
func isSchema(c catalog.Commit) bool { return c.Mode == catalog.Schema }

// rootsOf are the commits that a commit undid in the end, or the commit itself: a cascade has more than one.
func rootsOf(tx catalog.Tx, c catalog.Commit) (out []catalog.Commit, err error) {
	parents := undoes(c)
	if len(parents) == 0 {
		return []catalog.Commit{c}, nil
	}
	for _, id := range parents {
		parent, err := tx.Commit(c.DatasetID, id)
		if err != nil {
			return nil, err
		}
		roots, err := rootsOf(tx, parent)
		if err != nil {
			return nil, err
		}
		out = append(out, roots...)
	}
	return out, nil
}

// rootOf is the commit that a rollback undid in the end, or the commit itself. A rollback that a merge played may have
// undone what was not there.
func rootOf(tx catalog.Tx, c catalog.Commit) (_ catalog.Commit, err error) {
	for c.Mode == catalog.Rollback && c.ParentCommitID != 0 && err == nil {
		c, err = tx.Commit(c.DatasetID, c.ParentCommitID)
	}
	return c, err
}

// standingRollbacks reports which rollback undoes each commit of a dataset. Undoing a merge undoes what it played; a
// rollback that is undone itself undoes nothing.
func standingRollbacks(tx catalog.Tx, dataset string) (map[int64]int64, error) {
	rollbacks, err := tx.Rollbacks(dataset)
	if err != nil {
		return nil, err
	}
	undone := map[int64]int64{}
	// So that a rollback which was undone itself is known to be undone when its turn comes.
	for _, r := range rollbacks { // newest first
		if undone[r.ID] != 0 || r.ParentCommitID == 0 {
			continue
		}
		for _, id := range undoes(r) {
			undone[id] = r.ID
		}
		played, err := tx.Played(dataset, r.ParentCommitID)
		if err != nil {
			return nil, err
		}
		for _, p := range played {
			undone[p.ID] = r.ID
		}
	}
	return undone, nil
}
