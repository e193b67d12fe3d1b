package quartzbio

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/storage/fault"
)

// Kinds of entries.
const (
	folderKind    = "folder" // path is that in the project
	fileKind      = "file"   // the same; its bytes are kept as sources
	importKind    = "import" // path is the dataset that it is about, as of the next two
	exportKind    = "export"
	migrationKind = "migration"
	keyKind       = "key" // what URLs are signed with
)

// entry is something that this face keeps beside the store.
type entry struct {
	ID       string
	Kind     string
	Project  int64
	Path     string
	User     string
	At       time.Time
	Document json.RawMessage
}

// entries are the entries in the settings' database, which all servers of a store share.
type entries struct{ db *settings.DB }

const entryRow = `id, kind, project_id, path, user_name, created_at, document`

func scanEntry(row interface{ Scan(...any) error }) (e entry, err error) {
	var at int64
	var document string
	err = row.Scan(&e.ID, &e.Kind, &e.Project, &e.Path, &e.User, &at, &document)
	e.At, e.Document = time.UnixMicro(at).UTC(), json.RawMessage(document)
	return e, err
}

// maxDocument is how many bytes a document has at most: every list of entries reads them.
const maxDocument = 1 << 20

// check refuses an entry whose document is too large.
func (e entry) check() error {
	if len(e.Document) > maxDocument {
		return fault.Errorf(fault.Invalid, "too_large", "What the request says beside its records is larger than %d MiB: "+
			"metadata, target_fields or filters.", maxDocument>>20)
	}
	return nil
}

// put keeps an entry in place of the one with its id.
func (s entries) put(ctx context.Context, e entry) error {
	if err := e.check(); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO vault_entries (`+entryRow+`) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET project_id = excluded.project_id, path = excluded.path,
			document = excluded.document`,
			e.ID, e.Kind, e.Project, e.Path, e.User, e.At.UnixMicro(), string(e.Document))
		return err
	})
}

// add keeps an entry unless there is one with its id, and returns the one that there is then.
func (s entries) add(ctx context.Context, e entry) (entry, error) {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO vault_entries (`+entryRow+`) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO NOTHING`, e.ID, e.Kind, e.Project, e.Path, e.User, e.At.UnixMicro(), string(e.Document))
		return err
	})
	if err != nil {
		return entry{}, err
	}
	found, _, err := s.get(ctx, e.Kind, e.ID)
	return found, err
}

// get finds an entry; ok is false if there is none.
func (s entries) get(ctx context.Context, kind, id string) (e entry, ok bool, err error) {
	e, err = scanEntry(s.db.QueryRowContext(ctx,
		`SELECT `+entryRow+` FROM vault_entries WHERE id = ? AND kind = ?`, id, kind))
	if err == sql.ErrNoRows {
		return e, false, nil
	}
	return e, err == nil, err
}

// in lists the entries of a kind in a project, or of a dataset by its id; the oldest first.
func (s entries) in(ctx context.Context, kind string, project int64) ([]entry, error) {
	return s.list(ctx, `kind = ? AND project_id = ?`, kind, project)
}

func (s entries) of(ctx context.Context, kind, dataset string) ([]entry, error) {
	return s.list(ctx, `kind = ? AND path = ?`, kind, dataset)
}

func (s entries) list(ctx context.Context, where string, args ...any) (out []entry, err error) {
	rows, err := s.db.QueryContext(ctx,
		`SELECT `+entryRow+` FROM vault_entries WHERE `+where+` ORDER BY created_at, id`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// remove drops an entry.
func (s entries) remove(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM vault_entries WHERE id = ?`, id)
		return err
	})
}
