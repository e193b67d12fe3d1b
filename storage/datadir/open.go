package datadir

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// openFile is open.json: which file of a catalog the process wrote that has it open. What else the catalog has is in
// its log, whose pages have checksums of their own. After a crash, this file shows that the catalog is the one that was
// open, and not a copy that was put in its place.
const openFile = "open.json"

type opened struct {
	Catalog string `json:"catalog"`
}

// Vouch writes open.json, after each time that the catalog's own file was written. It need not be durable: a lost or an
// older one says nothing of the file.
func Vouch(dir string) error {
	stamp := fileStamp(dir)
	if stamp == "" {
		return nil
	}
	text, err := json.Marshal(opened{stamp})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, openFile), text, 0o600)
}

// Doubt removes open.json: the next start does not rely on the catalog.
func Doubt(dir string) error { return os.RemoveAll(filepath.Join(dir, openFile)) }

// IsVouched reports whether the catalog's own file is the one that open.json is about.
func IsVouched(dir string) bool {
	var was opened
	text, err := os.ReadFile(filepath.Join(dir, openFile))
	return err == nil && json.Unmarshal(text, &was) == nil && was.Catalog != "" && was.Catalog == fileStamp(dir)
}
