// Package datadir is about a store's directory before it is opened: store.json, which says that it is a store and in
// which format, what else may be in it, and the lock of the process that has it open (storage/README.md).
package datadir

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/blob"
)

// Marker is store.json. It says that a directory is a store, which one, and in which format.
type Marker struct {
	ID            string    `json:"id"`
	FormatVersion int       `json:"format_version"`
	CreatedAt     time.Time `json:"created_at"`

	// IsGuarded is set once there have been users: without them, the settings were lost, and everyone would be let in.
	IsGuarded bool `json:"guarded,omitempty"`
	// Catalog is where the catalog is, unless it is in the directory: PostgresCatalog.
	Catalog string `json:"catalog,omitempty"`
	// Settings is where the server's settings are, unless they are in the directory: PostgresCatalog, beside the catalog.
	Settings string `json:"settings,omitempty"`
	// Objects say where the objects are; nil: in the directory. Directory is the id of the directory then, which the
	// bucket has as well.
	Objects   *Objects `json:"objects,omitempty"`
	Directory string   `json:"directory,omitempty"`

	// Log is the id of the directory's audit log, if that is not Directory: servers that write to one bucket together
	// share the one and not the other.
	Log string `json:"log,omitempty"`
	// RestoredAt is when a backup was made this store; zero: never. There may be another one that goes on.
	RestoredAt time.Time `json:"restored_at,omitzero"`
}

// Objects are in a bucket. What a program needs to read them is here, but for credentials.
type Objects struct {
	URL          string `json:"url"` // s3://bucket/prefix
	Endpoint     string `json:"endpoint,omitempty"`
	Region       string `json:"region,omitempty"`
	Encryption   string `json:"encryption,omitempty"`
	StorageClass string `json:"storage_class,omitempty"`
}

const (
	// MarkerFile is the name of store.json.
	MarkerFile = "store.json"

	// CatalogFile is the name of the catalog. SQLite appends to it for its log.
	CatalogFile = "catalog.db"

	// CopyFile is in the copy of a store that is not complete.
	CopyFile = "copying.json"

	// PostgresCatalog says in store.json that the catalog is in a PostgreSQL database.
	PostgresCatalog = "postgresql"
	// formatVersion is the newest format that this program knows. It increases when older programs would misread a
	// store: those of the first format look for the catalog in the directory, and those of the second for the settings.
	formatVersion = 3
)

// CatalogsBefore matches the catalogs of earlier versions that are kept.
const CatalogsBefore = "catalog.before-*.db"

// CatalogBefore is the name under which a catalog of an earlier version is kept.
func CatalogBefore(version int64) string { return fmt.Sprintf("catalog.before-%05d.db", version) }

// ErrNotStore is returned for a directory that is not a store: it is missing, empty, or has other content.
var ErrNotStore = errors.New("not a store")

// contents are the names that may be in a store's directory, and lost+found, which volumes have at their root.
var contents = []string{
	MarkerFile, MarkerFile + blob.Unfinished, CatalogFile, CatalogFile + "-wal", CatalogFile + "-shm",
	closedFile, closedFile + blob.Unfinished, openFile, SettingsFile, SettingsFile + "-wal", SettingsFile + "-shm",
	AuditDir, "acme", blob.RemoteDir, "objects", "staging", "quarantine", "lock", "lost+found",
}

// Read reads store.json. A directory without it may be a store of a version that did not write one: then the marker is
// empty. Otherwise the error is ErrNotStore, and bare reports whether the directory can become a store.
func Read(dir string) (m Marker, bare bool, err error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return m, false, fmt.Errorf("%w: %s is a file", ErrNotStore, dir)
	}
	text, err := os.ReadFile(filepath.Join(dir, MarkerFile))
	if err == nil {
		return m, false, m.decode(text)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return m, false, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return m, true, fmt.Errorf("%w: the directory %s does not exist", ErrNotStore, dir)
	}
	if err != nil {
		return m, false, err
	}
	var foreign []string
	has := map[string]bool{}
	for _, e := range entries {
		has[e.Name()] = true
		if !isKept(e.Name()) && !slices.Contains(contents, e.Name()) {
			foreign = append(foreign, e.Name())
		}
	}
	return m, len(foreign) == 0, surveyed(dir, has, foreign)
}

// isKept reports whether a file is a catalog or settings of an earlier version.
func isKept(name string) bool {
	return slices.ContainsFunc([]string{CatalogsBefore, SettingsBefore}, func(pattern string) bool {
		matches, err := filepath.Match(pattern, name)
		return matches && err == nil
	})
}

func (m *Marker) decode(text []byte) error {
	if err := json.Unmarshal(text, m); err != nil || m.ID == "" || m.FormatVersion < 1 {
		return fmt.Errorf("%s is damaged. Restore a copy of it, or remove it to have a new one written", MarkerFile)
	}
	if m.FormatVersion > formatVersion {
		return fmt.Errorf("the store has format %d, and this program knows formats up to %d. "+
			"Use a newer version of the program",
			m.FormatVersion, formatVersion)
	}
	return nil
}

// surveyed returns ErrNotStore unless a directory without a marker is a store of a version that did not write one.
func surveyed(dir string, has map[string]bool, foreign []string) error {
	switch {
	case has[CopyFile]:
		return fmt.Errorf("%w: the copy of a store to %s is not complete. Complete it with rowback copy", ErrNotStore, dir)
	case has[CatalogFile] && has["objects"]:
		return nil
	case len(foreign) > 0:
		return fmt.Errorf("%w: the directory %s contains %s but no %s. Name an empty directory, or that of a store",
			ErrNotStore, dir, few(foreign), MarkerFile)
	case has[CatalogFile] || has["objects"]:
		return nil
	}
	return fmt.Errorf("%w: the directory %s is empty", ErrNotStore, dir)
}

// few lists the first three of some names.
func few(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more entries", strings.Join(names[:3], ", "), len(names)-3)
	}
	return strings.Join(names, ", ")
}

// Claim locks a directory that is a store, or one that is empty or missing, which it creates. In the second case isNew
// is set and the caller makes it a store with Write. Otherwise the error is ErrNotStore.
func Claim(dir string, hook blob.Hook) (m Marker, isNew bool, held Held, err error) {
	if _, bare, err := Read(dir); err != nil && !bare {
		return m, false, nil, err
	}
	if err := blob.MakeRoot(dir, hook); err != nil {
		return m, false, nil, err
	}
	if held, err = Lock(dir, true); err != nil {
		return m, false, nil, err
	}
	m, bare, err := Read(dir) // it may have changed before it was locked
	if errors.Is(err, ErrNotStore) && bare {
		return m, true, held, nil
	}
	return m, false, held, err
}

// Guard notes in store.json that there are users.
func Guard(dir string) error {
	m, _, err := Read(dir)
	if err != nil || m.IsGuarded || m.ID == "" {
		return err
	}
	m.IsGuarded = true
	return Write(dir, m, nil)
}

// MoveSettings notes in store.json where the settings are: PostgresCatalog, or nothing for the directory.
func MoveSettings(dir, place string) error {
	m, _, err := Read(dir)
	if err != nil {
		return err
	}
	m.Settings = place
	return Write(dir, m, nil)
}

// Write writes store.json.
func Write(dir string, m Marker, hook blob.Hook) error {
	m.FormatVersion = 1
	switch {
	case m.Settings != "":
		m.FormatVersion = 3
	case m.Catalog != "":
		m.FormatVersion = 2
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return blob.WriteFile(dir, MarkerFile, text, hook)
}

// AuditLog is the id of the directory's audit log among those of the servers that share settings. Empty: it is the only
// one.
func (m Marker) AuditLog() string { return cmp.Or(m.Log, m.Directory) }
