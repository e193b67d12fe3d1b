package datadir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rowback/rowback/storage/blob"
)

// Closed is closed.json: what a store's directory looked like when the store was closed in order, with the catalog up
// to date. It is removed at every start, so that there is none after a crash.
type Closed struct {
	Catalog  string            `json:"catalog"`
	Datasets map[string]string `json:"datasets"` // when their directories changed, by id
}

const closedFile = "closed.json"

// IsKnown reports whether the catalog is as it was.
func (c Closed) IsKnown() bool { return c.Catalog != "" }

// Recall reads and removes closed.json. Unless the catalog is the one that was closed, nothing is known.
func Recall(dir string) (was Closed, err error) {
	path := filepath.Join(dir, closedFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Closed{}, nil
	}
	if err := errors.Join(err, os.Remove(path)); err != nil {
		return Closed{}, fmt.Errorf("%s can't be read and removed: %w. Remove it, then start again", path, err)
	}
	if json.Unmarshal(text, &was) != nil || !was.IsKnown() || was.Catalog != catalogStamp(dir) {
		return Closed{}, nil
	}
	return was, nil
}

// Note writes closed.json, once the catalog is closed. datasets are when their directories changed.
func Note(dir string, datasets map[string]string, hook blob.Hook) error {
	now := Closed{Catalog: catalogStamp(dir), Datasets: datasets}
	if !now.IsKnown() {
		return nil
	}
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	return blob.WriteFile(dir, closedFile, text, hook)
}

// catalogStamp is fileStamp where the catalog's log has nothing more; else it is empty.
func catalogStamp(dir string) string {
	log, err := os.Stat(filepath.Join(dir, CatalogFile) + "-wal")
	if err == nil && log.Size() > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return fileStamp(dir)
}

// fileStamp returns the size of the catalog's own file and when it was last written; empty if that is not known: the
// times of the file system are in whole seconds.
func fileStamp(dir string) string {
	info, err := os.Stat(filepath.Join(dir, CatalogFile))
	if err != nil || info.ModTime().Nanosecond() == 0 {
		return ""
	}
	return fmt.Sprintf("%d bytes, %d", info.Size(), info.ModTime().UnixNano())
}
