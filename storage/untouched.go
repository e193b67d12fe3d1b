package storage

import (
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// isUntouched reports whether every record that a commit wrote has been live ever since, in the files that the commit
// wrote. Then no later commit touched any of them: it would have displaced the row, or given its key a second one. So
// undoing one of many small commits costs what it changed, not what came after it.
//
// False says nothing: the commit is of a kind that is not looked at, or one of its rows was displaced at some time.
func isUntouched(tx catalog.Tx, head *snapshot.Snapshot, c sets) (bool, error) {
	written := snapshot.OfKind(c.opened, schema.Data)
	if !c.writesAllItTouches() || len(snapshot.Without(c.opened, head.Files())) > 0 {
		return false, nil
	}
	ended, err := tx.Ended(head.Dataset.ID, c.commit.ID+1, catalog.Forever-1)
	if err != nil {
		return false, err
	}
	displacers := head.Rollbacks
	for _, e := range ended {
		if slices.ContainsFunc(c.opened, func(f *catalog.File) bool { return f.ID == e.File }) {
			return false, nil
		}
		f, err := tx.File(e.File)
		if err != nil {
			return false, err
		}
		if e.Begin > c.commit.ID && f.Kind == schema.Rollback {
			displacers = append(slices.Clip(displacers), f)
		}
	}
	own := map[int64]bool{}
	for _, f := range written {
		own[f.ID] = true
	}
	return !slices.ContainsFunc(displacers, func(r *catalog.File) bool { return snapshot.TargetsAny(r, own) }), nil
}

// writesAllItTouches reports whether a commit did nothing but write records, so that its own files have a row for each
// key that it touched: what an overwrite or upsert displaced, it wrote anew.
func (c sets) writesAllItTouches() bool {
	switch c.commit.Mode {
	case catalog.Append, catalog.Overwrite, catalog.Upsert:
	default:
		return false
	}
	return len(c.closed)+len(c.columns)+len(c.fields) == 0 && c.commit.MergeCommitID == 0 && c.between == nil
}
