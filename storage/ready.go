package storage

import (
	"context"

	"rowback/storage/blob"
	"rowback/storage/catalog"
	"rowback/storage/fault"
)

// Ready reports why the store can't take a commit; nil where it can: its catalog answers, its directories are there and
// can be written to, and the disk has room. It asks nothing that takes long, and nothing that a commit would not need:
// it is asked every few seconds.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.halted(); err != nil {
		return err
	}
	var commits int64
	err := s.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		commits, err = tx.Last(catalog.CommitIDs)
		return err
	})
	if err != nil {
		return fault.Errorf(fault.Unavailable, "catalog_unreachable", "The catalog does not answer.")
	}
	missing := fault.Errorf(fault.Unavailable, "objects_missing",
		"The stored files are missing (objects, in the data directory). Put them back, then start the server again.")
	if err := s.blobs.Writable(); err != nil {
		if e := systemFault(err); e != nil {
			return e
		}
		return missing
	}
	if empty, err := s.blobs.IsEmpty(); err == nil && empty && commits > 0 { // the mount point of a disk that is away
		return missing
	}
	if err := blob.Writable(s.dir.catalogPath()); err != nil {
		return systemFault(err)
	}
	return s.Disk.room()
}
