package storage

import (
	"context"
	"errors"
	"io/fs"

	"rowback/storage/catalog"
	"rowback/storage/datafile"
)

// Restore brings a dataset back to a whole state, as one commit, which a rollback can undo. It closes what is live now
// and was not then, and reopens what was. The dataset's name stays: it is how people find it. Before anything changes,
// the target's files are verified against their checksums.
func (s *Store) Restore(ctx context.Context, dataset, ref string, r Request) (catalog.Commit, error) {
	return s.restore(ctx, dataset, ref, r, func(*work) error { return nil })
}

// restore is Restore with more to do before it is published.
func (s *Store) restore(ctx context.Context, dataset, ref string, r Request, more func(*work) error) (catalog.Commit, error) {
	w, err := s.begin(ctx, dataset, r, catalog.Restore)
	if err != nil {
		return catalog.Commit{}, err
	}
	defer w.end()
	target, err := s.Snapshot(ctx, dataset, ref)
	if err != nil {
		return catalog.Commit{}, err
	}
	if err := s.Verify(ctx, target); err != nil {
		return catalog.Commit{}, err
	}
	if err := w.connect(ctx); err != nil {
		return catalog.Commit{}, err
	}
	counts, err := Diff(w.head, target).Count(ctx, w.conn)
	if err != nil {
		return catalog.Commit{}, err
	}
	w.commit.Added, w.commit.Removed, w.commit.Modified = counts.Added, counts.Removed, counts.Modified
	w.closed = without(w.head.Files(), target.Files())
	w.reopened, w.back = without(target.Files(), w.head.Files()), target.schemas
	w.schema = target.Schema.After(w.schema)
	w.properties = target.Properties
	w.properties.Name = w.head.Properties.Name
	w.setParam("ref", ref)
	w.setParam("commit", target.Commit.ID)
	if err := more(w); err != nil {
		return catalog.Commit{}, err
	}
	return w.publish(ctx)
}

// Verify reads every file of a snapshot and compares it with its checksum.
func (s *Store) Verify(ctx context.Context, snap *Snapshot) error {
	for _, f := range snap.Files() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := s.verifyFile(f); err != nil {
			s.options.Log.Error("a stored file is damaged", "file", f.ID, "commit", f.CommitID, "error", err)
			return failf(Corrupt, "target_corrupted", "Cannot rollback: target version is corrupted")
		}
	}
	return nil
}

var errDamaged = errors.New("the file is not what was written")

func (s *Store) verifyFile(f *catalog.File) error {
	in, err := s.blobs.Open(f.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return errDamaged
	}
	if err != nil {
		return err
	}
	defer in.Close()
	sum, size, err := datafile.Checksum(in)
	if err == nil && (sum != f.Checksum || size != f.Bytes) {
		err = errDamaged
	}
	return err
}
