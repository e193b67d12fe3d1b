package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"rowback/storage/blob"
	"rowback/storage/datadir"
)

// closed is closed.json: what the directory looked like when the store was closed in order, with the catalog up to date.
// The next start reads what is no longer so, and nothing else: it costs what changed and not what there is. The file is
// removed at every start, so that after a crash there is none, and all is read. It promises nothing that is not looked
// at: a catalog or directory that was put in place meanwhile has another time. TestAStartReadsWhatChanged proves it.
type closed struct {
	Catalog  string            `json:"catalog"`
	Datasets map[string]string `json:"datasets"` // by id
}

// stampOf returns when what a dataset's directory holds was last added to: commits, labels and backups.
func (j *journal) stampOf(dataset string) string {
	return j.blobs.Stamp(dataset, dataset+"/"+labelsDir, dataset+"/"+backupsDir)
}

// stampOfCatalog returns when the catalog was last written, and its size; empty if it was not closed since.
func (d *directory) stampOfCatalog() string {
	if info, err := os.Stat(d.catalogPath() + "-wal"); err == nil && info.Size() > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	info, err := os.Stat(d.catalogPath())
	if err != nil || info.ModTime().Nanosecond() == 0 {
		return ""
	}
	return fmt.Sprintf("%d bytes, %d", info.Size(), info.ModTime().UnixNano())
}

// recall reads and removes closed.json. If the catalog is not the one that was closed, nothing is known.
func (d *directory) recall() error {
	path := filepath.Join(d.path, datadir.ClosedFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := errors.Join(err, os.Remove(path)); err != nil {
		return err
	}
	var was closed
	if json.Unmarshal(text, &was) == nil && was.Catalog != "" && was.Catalog == d.stampOfCatalog() {
		d.last = was
	}
	return nil
}

// note writes closed.json, once the catalog is closed. Without it the next start reads everything.
func (d *directory) note() error {
	now := closed{Catalog: d.stampOfCatalog(), Datasets: map[string]string{}}
	ids, err := d.blobs.Directories("")
	if err != nil || now.Catalog == "" {
		return err
	}
	for _, id := range ids {
		now.Datasets[id] = d.stampOf(id)
	}
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	return blob.WriteFile(d.path, datadir.ClosedFile, text, d.hook)
}

// holds reports whether a dataset's directory is as it was.
func (c closed) holds(j *journal, dataset string) bool {
	was := c.Datasets[dataset]
	return was != "" && was == j.stampOf(dataset)
}
