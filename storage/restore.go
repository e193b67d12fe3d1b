package storage

import (
	"context"
	"errors"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// Restore brings a dataset back to a whole state, as one commit, which a rollback can undo. It closes what is live now
// and was not then, and reopens what was. The dataset's name stays, which is how people find it, and so do its gates.
// Before anything changes, the target's files are verified against their checksums.
func (s *Store) Restore(ctx context.Context, dataset, ref string, r Request) (catalog.Commit, error) {
	return s.restore(ctx, dataset, ref, r, func(*work) error { return nil })
}

// restore is Restore with more to do before it is published. more may add to the commit what a revert or a version's
// rollback has besides: parameters, a savepoint, the active version.
func (s *Store) restore(
	ctx context.Context, dataset, ref string, r Request, more func(*work) error,
) (catalog.Commit, error) {
	w, err := s.begin(ctx, dataset, r, catalog.Restore)
	if err != nil {
		return catalog.Commit{}, err
	}
	defer w.end()
	target, err := s.Snapshot(ctx, dataset, ref)
	if err != nil {
		return catalog.Commit{}, err
	}
	// Before anything changes: a state whose files are damaged is no place to go back to.
	if err := s.Verify(ctx, target); err != nil {
		return catalog.Commit{}, err
	}
	// Counted over what the two states do not share, so that a restore costs what changed.
	if err := w.writer.count(ctx, snapshot.Diff(w.head, target)); err != nil {
		return catalog.Commit{}, err
	}
	w.closed = snapshot.Without(w.head.Files(), target.Files())
	w.reopened, w.back = snapshot.Without(target.Files(), w.head.Files()), target.Schemas
	// Ids of columns only grow: those that the target does not have yet are not given again.
	w.schema = target.Schema.After(w.schema)
	w.properties = target.Properties
	w.properties.Name, w.properties.Gates = w.head.Properties.Name, w.head.Properties.Gates
	w.setParam("ref", ref)
	w.setParam("commit", target.Commit.ID)
	if err := more(w); err != nil {
		return catalog.Commit{}, err
	}
	return publish(ctx, w, asCommit)
}

// Verify reads every file of a snapshot and compares it with its checksum. The sentence is seed 000's, for a target
// that can't be gone back to.
func (fs *Files) Verify(ctx context.Context, snap *snapshot.Snapshot) error {
	err := fs.readWhole(ctx, snap.Files())
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != fault.Corrupt {
		return err
	}
	return &fault.Error{
		Kind: fault.Corrupt, Code: "target_corrupted", Detail: "Cannot rollback: target version is corrupted",
		Fields: e.Fields, Cause: e.Cause,
	}
}
