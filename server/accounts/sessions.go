package accounts

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/storage/fault"
)

const sessionRow = `s.hash, s.id, s.user_name, coalesce(s.token_id, ''), s.fixed_hash, s.identity, s.address,
	s.started_at, s.used_at, s.expires_at, s.lasts_to`

func scanSession(row interface{ Scan(...any) error }) (s access.Session, err error) {
	var hash, fixed []byte
	var identity sql.NullString
	var started, used, expires, last int64
	err = row.Scan(&hash, &s.ID, &s.User, &s.Token, &fixed, &identity, &s.Address, &started, &used, &expires, &last)
	if err != nil {
		return s, err
	}
	copy(s.Hash[:], hash)
	copy(s.Fixed[:], fixed)
	s.StartedAt, s.UsedAt, s.ExpiresAt, s.LastsTo = moment(started), moment(used), moment(expires), moment(last)
	if identity.Valid {
		s.Identity = &access.Identity{}
		err = json.Unmarshal([]byte(identity.String), s.Identity)
	}
	return s, err
}

// StartSession records a session, durably. Those that have ended go, and the oldest where there are too many.
func (a *Accounts) StartSession(s access.Session) error {
	var fixed, identity, token any
	if s.Fixed != (access.Hash{}) {
		fixed = s.Fixed[:]
	}
	if s.Token != "" {
		token = s.Token
	}
	if s.Identity != nil {
		text, err := json.Marshal(s.Identity)
		if err != nil {
			return err
		}
		identity = string(text)
	}
	ctx := context.Background()
	return a.db.Write(ctx, func(tx *sql.Tx) error {
		if err := makeRoom(ctx, tx, s); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions (hash, id, user_name, token_id, fixed_hash, identity, address,
			started_at, used_at, expires_at, lasts_to) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			s.Hash[:], s.ID, s.User, token, fixed, identity, s.Address, micros(s.StartedAt), micros(s.UsedAt),
			micros(s.ExpiresAt), micros(s.LastsTo))
		return taken(err, access.ErrWrong) // the token was revoked since
	})
}

// makeRoom removes sessions before one is added.
func makeRoom(ctx context.Context, tx *sql.Tx, s access.Session) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE expires_at <= ?`, micros(s.StartedAt))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE user_name = ?
		ORDER BY started_at DESC, id DESC LIMIT 9223372036854775807 OFFSET ?)`, s.User, access.MaxUserSessions-1)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions
		ORDER BY started_at DESC, id DESC LIMIT 9223372036854775807 OFFSET ?)`, access.MaxSessions-1)
	return err
}

// Session returns the session that something opens.
func (a *Accounts) Session(hash access.Hash) (access.Session, error) {
	s, err := scanSession(a.db.QueryRow(`SELECT `+sessionRow+` FROM sessions s WHERE s.hash = ?`, hash[:]))
	if errors.Is(err, sql.ErrNoRows) {
		err = access.ErrUnknown
	}
	return s, err
}

// UseSession notes that a session is in use. It does not wait until that is recorded.
func (a *Accounts) UseSession(s access.Session) error {
	a.noteUse(s.ID, s.UsedAt, `UPDATE sessions SET used_at = CASE WHEN used_at < ?2 THEN ?2 ELSE used_at END,
		expires_at = CASE WHEN expires_at < ?3 THEN ?3 ELSE expires_at END WHERE id = ?1`, micros(s.ExpiresAt))
	return nil
}

// EndSession ends the session that something opens, if there is one.
func (a *Accounts) EndSession(hash access.Hash) error {
	ctx := context.Background()
	return a.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE hash = ?`, hash[:])
		return err
	})
}

// Whose selects sessions by their user. Users of the operator's tokens are others than those who are kept here, even by
// the same name.
type Whose struct {
	Name      string // empty: all users
	Operators *bool  // of the operator's tokens, or not; nil: either
}

// ofWhom is the condition of Whose, with the parameters ?1 and ?2.
const ofWhom = `(?1 = '' OR user_name = ?1) AND (CAST(?2 AS BOOLEAN) IS NULL OR ?2 = (fixed_hash IS NOT NULL))`

// ListSessions lists the sessions of users that have not ended by id, after one.
func (a *Accounts) ListSessions(ctx context.Context, of Whose, after string, limit int) ([]access.Session, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT `+sessionRow+` FROM sessions s
		WHERE `+ofWhom+` AND s.id > ?3 AND s.expires_at > ?4 ORDER BY s.id LIMIT ?5`,
		of.Name, of.Operators, after, micros(a.now()), limit)
	return list(rows, err, func(r *sql.Rows) (access.Session, error) { return scanSession(r) })
}

// SessionByID returns a session that has not ended.
func (a *Accounts) SessionByID(ctx context.Context, id string) (access.Session, error) {
	s, err := scanSession(a.db.QueryRowContext(ctx,
		`SELECT `+sessionRow+` FROM sessions s WHERE s.id = ? AND s.expires_at > ?`, id, micros(a.now())))
	if errors.Is(err, sql.ErrNoRows) {
		err = noSession(id)
	}
	return s, err
}

func noSession(id string) error {
	return fault.Errorf(fault.NotFound, "session_not_found", "Session '%s' not found", fault.Clip(id))
}

// RevokeSession ends a session, if it is one of these users. No request is let in with it any more.
func (a *Accounts) RevokeSession(ctx context.Context, id string, of Whose) error {
	return a.db.Write(ctx, func(tx *sql.Tx) error {
		return one(ctx, tx, noSession(id), `DELETE FROM sessions WHERE id = ?3 AND `+ofWhom, of.Name, of.Operators, id)
	})
}

// RevokeSessions ends all sessions of users, and returns how many.
func (a *Accounts) RevokeSessions(ctx context.Context, of Whose) (ended int64, err error) {
	err = a.db.Write(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE `+ofWhom, of.Name, of.Operators)
		if err != nil {
			return err
		}
		ended, err = done.RowsAffected()
		return err
	})
	return ended, err
}

// EndAllSessions ends the sessions of all users.
func EndAllSessions(tx *sql.Tx) error {
	_, err := tx.Exec(`DELETE FROM sessions`)
	return err
}
