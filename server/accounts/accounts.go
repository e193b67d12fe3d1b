// Package accounts keeps users, their roles and tokens, and the names of projects, in the settings.
//
// What it returns is read from the database each time, so that a change is effective at once. A token is kept as its
// SHA-256 alone, and shown once, when it is made.
package accounts

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/storage/fault"
)

// Accounts are the users, tokens and projects of a server.
type Accounts struct {
	db     *settings.DB
	now    func() time.Time
	log    *slog.Logger
	closed atomic.Bool

	// Closed is called once there is the first token; nil: nothing is.
	Closed func()

	// Changed is called in each transaction that may take something from a user; nil: nothing is.
	Changed func(tx *sql.Tx, s Standing) error

	mu     sync.Mutex
	used   map[string]time.Time // when the last use of a token was recorded, by id
	record sync.WaitGroup
}

// Open returns the accounts in a database. now and log may be nil.
func Open(ctx context.Context, db *settings.DB, now func() time.Time, log *slog.Logger) (*Accounts, error) {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	a := &Accounts{db: db, now: now, log: log, used: map[string]time.Time{}}
	closed, err := a.wasClosed(ctx)
	a.closed.Store(closed)
	return a, err
}

// wasClosed reads whether there has ever been a token.
func (a *Accounts) wasClosed(ctx context.Context) (closed bool, err error) {
	return closed, a.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM closed)`).Scan(&closed)
}

// Close waits until what is still to be recorded is.
func (a *Accounts) Close() { a.record.Wait() }

// IsClosed reports whether there has ever been a token: from then on no one is let in without one. Another server may
// make the first: so while there is none, that is asked each time.
func (a *Accounts) IsClosed() (bool, error) {
	if a.closed.Load() || !a.db.IsShared() {
		return a.closed.Load(), nil
	}
	closed, err := a.wasClosed(context.Background())
	if closed {
		a.close()
	}
	return closed, err
}

// close notes that there is a token.
func (a *Accounts) close() {
	if !a.closed.Swap(true) && a.Closed != nil {
		a.Closed()
	}
}

// list reads all rows of a query; never nil.
func list[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	out := []T{}
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, rows.Err()
}

// one runs a statement that has to change a row; none is the error if it changes none.
func one(ctx context.Context, tx *sql.Tx, none error, query string, args ...any) error {
	done, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, none)
	}
	return nil
}

// taken returns refusal if a statement failed because what it would add is there already.
func taken(err error, refusal error) error {
	if settings.IsConstraint(err) {
		return refusal
	}
	return err
}

// micros is how times are stored: microseconds since 1970; 0: none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment is the reverse of micros.
func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// invalid returns the refusal of a field.
func invalid(field, why string) error {
	return fault.Errorf(fault.Invalid, "invalid_field", "%s: %s", field, why).With("field", field)
}

// checkRole refuses a role that can't be given in a project.
func checkRole(project int64, role access.Role) error {
	switch {
	case role < access.Reader || role > access.Admin:
		return invalid("role", "must be reader, writer, maintainer or admin")
	case role == access.Admin && project != 0:
		return invalid("role", "an admin is one of all projects: give the role for *")
	case project < 0:
		return invalid("project", "must be 1 or greater, or * for all")
	}
	return nil
}
