package blob

import (
	"os"
	"path/filepath"
	"strconv"
)

// Scratch returns a path under staging that no one else uses. What is left there is removed by the next Open.
func (d *Dir) Scratch(name string) string {
	return filepath.Join(d.scratch, strconv.FormatInt(d.next.Add(1), 10)+"-"+name)
}

// CreateScratch makes a file at a path that Scratch gave.
func (d *Dir) CreateScratch(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, fileMode)
}

// WriteScratch writes a file at a path that Scratch gave.
func (d *Dir) WriteScratch(path string, data []byte) error { return os.WriteFile(path, data, fileMode) }

// OpenUnpublished opens a file that is written: at a path that Scratch gave, or in a batch that is not published yet.
func (d *Dir) OpenUnpublished(path string) (*os.File, error) { return os.Open(path) }

// SyncUnpublished sends such a file to the disk, wherever it lies by now. Publish has that much less to wait for.
func (d *Dir) SyncUnpublished(f *os.File) error {
	if err := d.hook("sync", d.relative(f.Name())); err != nil {
		return err
	}
	return f.Sync()
}

// RemoveScratch removes files or folders at paths that Scratch gave, those that are there. What can't be removed is left to
// the next Open.
func (d *Dir) RemoveScratch(paths ...string) {
	for _, path := range paths {
		os.RemoveAll(path)
	}
}
