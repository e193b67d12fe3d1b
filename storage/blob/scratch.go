package blob

import (
	"os"
	"path/filepath"
	"strconv"
)

// Scratch returns a new path under staging. Open removes whatever is left there.
func (d *Dir) Scratch(name string) string {
	return filepath.Join(d.scratch, strconv.FormatInt(d.next.Add(1), 10)+"-"+name)
}

// CreateScratch creates a file at a path from Scratch.
func (d *Dir) CreateScratch(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, fileMode)
}

// WriteScratch writes a file at a path from Scratch.
func (d *Dir) WriteScratch(path string, data []byte) error { return os.WriteFile(path, data, fileMode) }

// OpenUnpublished opens a file for reading at a path from Scratch or in an unpublished batch.
func (d *Dir) OpenUnpublished(path string) (*os.File, error) { return os.Open(path) }

// SyncUnpublished flushes such a file to the disk, even if it was moved since, so that Publish has less to wait for.
func (d *Dir) SyncUnpublished(f *os.File) error {
	if err := d.hook("sync", d.relative(f.Name())); err != nil {
		return err
	}
	return f.Sync()
}

// RemoveScratch removes files or directories at paths from Scratch, if they exist. Whatever it can't remove, the next
// Open does.
func (d *Dir) RemoveScratch(paths ...string) {
	for _, path := range paths {
		os.RemoveAll(path)
	}
}
