package storage

import (
	"context"
	"io"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"rowback/storage/blob"
	"rowback/storage/catalog"
	"rowback/storage/datadir"
	"rowback/storage/fault"
)

// A disk that is full is worse than one that is almost: nothing can be repaired there. So writes end before.

// room refuses a write where the disk has less left than is to stay free (Options.MinFree).
func (s *Store) room() error {
	if s.options.MinFree == 0 {
		return nil
	}
	free, err := s.options.Free(s.dir)
	if err != nil || free >= s.options.MinFree {
		return err
	}
	return fault.Errorf(fault.Unavailable, "disk_low",
		"The server's disk has %s left, and %s are to stay free (--min-free), so nothing is written. "+
			"Make room, or lower --min-free; reading goes on.",
		humanize.Bytes(uint64(max(free, 0))), humanize.Bytes(uint64(s.options.MinFree)))
}

// DefaultMinFree is a sensible room to keep free on the disk that a data directory is on, or will be: 256 MB, or a
// twentieth of a small disk.
func DefaultMinFree(dir string) int64 {
	const most = 256e6
	for {
		size, err := diskBytes(dir)
		if err == nil {
			return min(most, size/20)
		}
		above := filepath.Dir(dir)
		if above == dir {
			return most
		}
		dir = above // the directory is still to be made
	}
}

// FreeBytes is what can still be written to the disk of the data directory; -1 where that can't be told.
func (s *Store) FreeBytes() int64 {
	free, err := s.options.Free(s.dir)
	if err != nil {
		return -1
	}
	return free
}

// roomEvery is after how many bytes of an upload the room is looked at again.
const roomEvery = 64 << 20

// Staged is a new file under staging. Writing to it fails where the disk would not have the room that is to stay.
type Staged struct {
	file  io.WriteCloser
	store *Store
	until int64 // bytes that may be written before the room is looked at again
}

// CreateStaged makes the file at a path that Scratch gave.
func (s *Store) CreateStaged(path string) (*Staged, error) {
	if err := s.room(); err != nil {
		return nil, err
	}
	f, err := s.blobs.CreateScratch(path)
	if err != nil {
		return nil, err
	}
	return &Staged{file: f, store: s, until: roomEvery}, nil
}

// Write writes to the file.
func (f *Staged) Write(p []byte) (int, error) {
	if f.until -= int64(len(p)); f.until < 0 {
		if err := f.store.room(); err != nil {
			return 0, err
		}
		f.until = roomEvery
	}
	return f.file.Write(p)
}

// Close closes the file.
func (f *Staged) Close() error { return f.file.Close() }

// Ready reports why the store can't take a commit; nil where it can: its catalog answers, its folders are there and can
// be written to, and the disk has room.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.halted(); err != nil {
		return err
	}
	var commits int64
	if err := s.catalog.Read(ctx, func(tx catalog.Tx) (err error) { commits, err = tx.Last(catalog.CommitIDs); return err }); err != nil {
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
	if err := blob.Writable(filepath.Join(s.dir, datadir.CatalogFile)); err != nil {
		return systemFault(err)
	}
	return s.room()
}
