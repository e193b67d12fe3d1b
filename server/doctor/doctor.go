// Package doctor looks at a data directory and the machine that it is on, before or while a server runs, and says what
// to do about what is not as it should be. It changes nothing: what it writes to measure the disk, it removes.
//
// Whether the stored files are what was written is up to rowback check, which reads them.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datadir"
)

// Status is how a check went.
type Status string

// How a check went. A server starts and works despite a warning.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Failed  Status = "failed"
)

// Finding is what one check found.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"` // what to do; empty where all is well
}

// Subject is what is looked at.
type Subject struct {
	Dir         string // the data directory
	Version     string // of the program
	Memory      int64  // bytes that the process may use; 0: not known
	MemoryLimit int64  // --memory-limit, bytes
	MinFree     int64  // bytes of the disk that stay free
	Connections int    // that the descriptors are enough for; 0: not known
	Descriptors int    // that the process may open; 0: not known
	Cert, Key   string // files; empty: no TLS
	Now         time.Time

	Catalog string                                    // URL of the database that has the catalog; empty: it is not looked at
	Bucket  func(ctx context.Context) (string, error) // returns the id of the store whose objects the bucket has; nil: none
}

// exam is one examination.
type exam struct {
	Subject
	findings []Finding
	isStore  bool
	isOpen   bool // a server has the directory open
}

// Examine looks at everything.
func Examine(ctx context.Context, s Subject) []Finding {
	e := &exam{Subject: s}
	e.program()
	e.store(ctx)
	e.access()
	e.disk()
	e.latency()
	e.memory()
	e.descriptors()
	e.clock()
	e.certificate()
	return e.findings
}

// Worst is the worst of the findings.
func Worst(findings []Finding) Status {
	worst := OK
	for _, f := range findings {
		if f.Status == Failed || f.Status == Warning && worst == OK {
			worst = f.Status
		}
	}
	return worst
}

func (e *exam) add(check string, status Status, remedy, detail string, args ...any) {
	e.findings = append(e.findings, Finding{check, status, fmt.Sprintf(detail, args...), remedy})
}

func (e *exam) ok(check, detail string, args ...any) { e.add(check, OK, "", detail, args...) }

// store looks at the directory as a store, and at its catalog and quarantine where no server has it open.
func (e *exam) store(ctx context.Context) {
	marker, bare, err := datadir.Read(e.Dir)
	switch {
	case errors.Is(err, datadir.ErrNotStore) && bare:
		e.ok("store", "%s is not a store yet; rowback serve makes it one", e.Dir)
		if e.Catalog != "" {
			e.database(ctx)
		}
		return
	case errors.Is(err, datadir.ErrNotStore):
		e.add("store", Failed, "Name an empty directory, or that of a store, with --data.", "%v", err)
		return
	case err != nil:
		e.add("store", Failed, "Run the version of the program that the store was last used with, or restore store.json.",
			"%v", err)
		return
	}
	e.isStore = true
	e.ok("store", "store %s of format %d", marker.ID, marker.FormatVersion)
	e.dates(marker.CreatedAt)
	e.objects(ctx, marker)
	if marker.Catalog != "" {
		e.database(ctx)
	}
	held, err := datadir.Lock(e.Dir, false)
	if errors.Is(err, datadir.ErrInUse) {
		e.isOpen = true
		e.ok("server", "a server has the directory open; its /readyz says more")
		return
	}
	if err != nil {
		e.add("server", Failed, "Run the program as the user that owns the directory.", "%v", err)
		return
	}
	defer held.Release()
	e.ok("server", "no server has the directory open")
	if marker.Catalog == "" {
		e.catalog(ctx)
	}
	e.settings(ctx)
}

// dates looks at whether the store is from the future.
func (e *exam) dates(made time.Time) {
	if made.After(e.Now.Add(time.Minute)) {
		e.add("dates", Failed, "Set the clock: what is committed now would be dated before what is there.",
			"the store was made at %s, and the clock says %s", made.Format(time.RFC3339), e.Now.Format(time.RFC3339))
		return
	}
	e.ok("dates", "the store was made on %s", made.Format(time.DateOnly))
}

// catalog looks at a copy of the catalog, so that the original stays as it is.
func (e *exam) catalog(ctx context.Context) {
	path, remove, err := copyCatalog(e.Dir)
	if err != nil {
		e.add("catalog", Warning, "Make room in the directory for temporary files.", "it could not be copied: %v", err)
		return
	}
	defer remove()
	has, knows, err := catalog.Versions(ctx, path)
	switch {
	case catalog.IsDamaged(err):
		e.add("catalog", Warning, "Start the server: it sets the catalog aside and makes it anew from the objects.",
			"it is damaged: %v", err)
	case err != nil:
		e.add("catalog", Failed, "See the page on operating.", "it can't be read: %v", err)
	case has == 0:
		e.add("catalog", Warning, "Start the server: it makes the catalog anew from the objects.", "it is missing")
	case has > knows:
		e.add("catalog", Failed, "Run a newer version of the program, or see the page on upgrading to go back.",
			"it has version %d, and this program knows %d", has, knows)
	case has < knows:
		e.add("catalog", Warning, "Start the server: it upgrades the catalog and keeps the one before.",
			"it has version %d, and this program makes it %d", has, knows)
	default:
		e.soundness(ctx, path, has)
	}
}

// settings looks at a copy of what can't be made anew: users, tokens, webhooks.
func (e *exam) settings(ctx context.Context) {
	const remedy = "Put settings.db of a backup back: rowback restore lays one out in another directory."
	if marker, _, err := datadir.Read(e.Dir); err == nil && marker.Settings != "" {
		e.ok("settings", "they are in PostgreSQL, beside the catalog")
		return
	}
	copied, err := settings.Copy(ctx, e.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		marker, _, errMarker := datadir.Read(e.Dir)
		logs, err := datadir.AuditFiles(e.Dir)
		if err != nil || errMarker == nil && marker.IsGuarded || len(logs) > 0 {
			e.add("settings", Failed, remedy, "settings.db is missing, and there was one: users and tokens are lost")
			return
		}
		e.ok("settings", "none yet; rowback serve makes them")
		return
	}
	if err != nil {
		e.add("settings", Failed, remedy, "%v", err)
		return
	}
	defer copied.Close()
	var found string
	if err := copied.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil || found != "ok" {
		e.add("settings", Failed, remedy, "settings.db is damaged: %s", cmp.Or(found, fmt.Sprint(err)))
		return
	}
	e.ok("settings", "sound")
}

// soundness looks at the rows of a copy of the catalog.
func (e *exam) soundness(ctx context.Context, path string, version int64) {
	c, err := catalog.Open(ctx, path, func(string) error { return nil })
	var what string
	if err == nil {
		what, err = c.Damage(ctx)
		err = errors.Join(err, c.Close())
	}
	switch {
	case err != nil:
		e.add("catalog", Failed, "See the page on operating.", "it can't be read: %v", err)
	case what != "":
		e.add("catalog", Warning, "Start the server: it sets the catalog aside and makes it anew from the objects.",
			"it is damaged: %s", what)
	default:
		e.ok("catalog", "sound, version %d", version)
	}
}
