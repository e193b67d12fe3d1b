// Package backup keeps backups of a store in a directory or below a prefix of a bucket: the target. What a store's
// objects mean is up to the domain; here they are bytes with keys.
//
//	TARGET/
//	  rowback-backups.json           whose backups these are, and the format version
//	  backups/<time>.json            the manifests: each is one backup
//	  objects/<xx>/<SHA-256>         what backups consist of, named after their content and shared by all of them
//	  staging/                       what is not complete; removed by the next backup. A bucket has none
//	  lock                           locked while a backup, a pruning or a check runs; in a bucket lock/<number>.json
//
// As objects are named after what they hold, one that was written anew under its key is another object here, and what
// two backups have in common is there once. A manifest is written last and durably, after all that it names: there is
// no half of a backup. Pruning removes manifests first, then what no manifest names.
package backup

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// formatVersion is the newest format that this program knows. It increases when older programs would misread a target.
const formatVersion = 1

const (
	markerFile  = "rowback-backups.json"
	lockFile    = "lock"
	backupsDir  = "backups"
	objectsDir  = "objects"
	idLayout    = "20060102T150405.000000Z"
	manifestEnd = ".json"
)

// Errors of a target.
var (
	ErrNotTarget = errors.New("it is not empty and has no backups")
	ErrOther     = errors.New("it has the backups of another store")
	ErrInUse     = errors.New("it is in use by another backup, pruning or check")
	ErrNone      = errors.New("there is no such backup")
	ErrDamaged   = errors.New("it is not what was written")
	ErrMissing   = error(missing{})
	// ErrAway is an error of the bucket that the target is in. It wraps the bucket's own.
	ErrAway = errors.New("the bucket of the backups can't be used")
)

// missing is the ErrDamaged of a file that is not there.
type missing struct{}

func (missing) Error() string { return "it is missing" }

// Is reports whether target is ErrDamaged.
func (missing) Is(target error) bool { return target == ErrDamaged }

// FileError says which file of a backup is damaged. It wraps ErrDamaged.
type FileError struct {
	Backup string // id
	File   string // what it is
	Place  string // its name in the target
	Err    error
}

// Error implements error.
func (e *FileError) Error() string {
	return fmt.Sprintf("backup %s: %s (%s): %v", e.Backup, e.File, e.Place, e.Err)
}

// Unwrap returns why it can't be used.
func (e *FileError) Unwrap() error { return e.Err }

// fault returns an error of a file of the backup; another error as it is.
func (m Manifest) fault(file, place string, err error) error {
	if errors.Is(err, ErrDamaged) {
		return &FileError{m.ID, file, place, err}
	}
	return err
}

// marker is rowback-backups.json.
type marker struct {
	FormatVersion int       `json:"format_version"`
	Store         string    `json:"store"` // its id
	CreatedAt     time.Time `json:"created_at"`
}

// Object is bytes, by what they are.
type Object struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Entry is an object of the store.
type Entry struct {
	Key string `json:"key"`
	Object
}

// Manifest is one backup.
type Manifest struct {
	FormatVersion int       `json:"format_version"`
	ID            string    `json:"id"` // the time of the cut
	Store         string    `json:"store"`
	StoreCreated  time.Time `json:"store_created_at"`
	StoreFormat   int       `json:"store_format_version"`
	Program       string    `json:"program,omitempty"`
	CreatedAt     time.Time `json:"created_at"` // of the cut
	FinishedAt    time.Time `json:"finished_at"`
	Full          bool      `json:"full"`        // everything was read and written again
	Scope         string    `json:"scope"`       // the family of the dataset that was asked for; empty: the whole store
	Cut           int64     `json:"last_commit"` // the last commit in it
	Removal       int64     `json:"last_removal"`
	RemovalKey    string    `json:"last_removal_directory,omitempty"`
	Datasets      []Dataset `json:"datasets"`
	Catalog       *Object   `json:"catalog,omitempty"`  // nil: it is made from the objects
	Settings      *Object   `json:"settings,omitempty"` // nil: there were none
	Audit         []Entry   `json:"audit,omitempty"`    // files of the audit log, by name
	List          Object    `json:"list"`               // gzip of the entries, as JSON, one a line, by key
	Objects       int       `json:"objects"`
	Bytes         int64     `json:"bytes"`
	Copied        int       `json:"objects_copied"` // that the target did not have
	CopiedBytes   int64     `json:"bytes_copied"`
	Damaged       []Damaged `json:"damaged"` // what could not be copied
}

// Dataset is a dataset at the cut.
type Dataset struct {
	ID        string    `json:"id"`
	Project   int64     `json:"project_id"`
	Name      string    `json:"name"`
	Family    string    `json:"family_id"`
	Head      int64     `json:"head"`
	HeadAt    time.Time `json:"head_created_at,omitzero"`
	Records   int64     `json:"records"`
	Digest    string    `json:"digest,omitempty"` // of the head; empty: it was not known
	DeletedAt time.Time `json:"deleted_at,omitzero"`
	// LabelsAt is when the directory of its labels last changed, if that was well before they were read: while it is the
	// same, so are they. Zero: not known.
	LabelsAt time.Time `json:"labels_at,omitzero"`
}

// Damaged is an object of the store that is missing or not what was written.
type Damaged struct {
	Key    string `json:"key"`
	Detail string `json:"detail"`
}

// IsComplete reports whether the backup has all that the store had.
func (m Manifest) IsComplete() bool { return len(m.Damaged) == 0 }

var (
	isID  = regexp.MustCompile(`^\d{8}T\d{6}\.\d{6}Z$`)
	isSum = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// NewID returns the id of a backup of a moment, which is later than another.
func NewID(at time.Time, after string) (string, time.Time) {
	at = at.UTC().Truncate(time.Microsecond)
	if last, err := time.Parse(idLayout, after); err == nil && !at.After(last) {
		at = last.Add(time.Microsecond)
	}
	return at.Format(idLayout), at
}

// place is where an object is in the target.
func (o Object) place() string { return objectsDir + "/" + o.SHA256[:2] + "/" + o.SHA256 }

// isValid reports whether an object can be one of a target: its name must not be a path.
func (o Object) isValid() bool { return isSum.MatchString(o.SHA256) && o.Size >= 0 }
