package accounts

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/storage/fault"
)

// Token is what is known of a token; the token itself is not.
type Token struct {
	ID          string
	User        string
	Description string
	Role        access.Role // the most that it may do
	Projects    []int64     // that it is for; nil: all
	CreatedAt   time.Time
	CreatedBy   string
	ExpiresAt   time.Time // zero: never
	UsedAt      time.Time // zero: not yet; it may be a minute late
}

// tokenIDPrefix begins the ids of tokens, which are not secret.
const tokenIDPrefix = "tok_"

const tokenRow = `t.id, t.user_name, t.description, t.role, t.all_projects, t.created_at, t.created_by, t.expires_at,
	t.used_at, coalesce((SELECT string_agg(CAST(p.project_id AS TEXT), ',') FROM token_projects p
	WHERE p.token_id = t.id), '')`

// scan reads a row of a token.
func (t *Token) scan(row interface{ Scan(...any) error }, more ...any) (err error) {
	var all bool
	var created, expires, used int64
	var role, projects string
	if err := row.Scan(append([]any{
		&t.ID, &t.User, &t.Description, &role, &all, &created, &t.CreatedBy, &expires, &used, &projects,
	}, more...)...); err != nil {
		return err
	}
	t.CreatedAt, t.ExpiresAt, t.UsedAt = moment(created), moment(expires), moment(used)
	if t.Role, err = access.ParseRole(role); err != nil || all {
		return err
	}
	t.Projects, err = readProjects(projects)
	return err
}

// Tokens lists tokens by id, after one: of a user, or of all if user is empty.
func (a *Accounts) Tokens(ctx context.Context, user, after string, limit int) ([]Token, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT `+tokenRow+` FROM tokens t
		WHERE (?1 = '' OR t.user_name = ?1) AND t.id > ?2 ORDER BY t.id LIMIT ?3`, user, after, limit)
	return list(rows, err, func(r *sql.Rows) (t Token, err error) { return t, t.scan(r) })
}

// Token returns what is known of a token, by its id.
func (a *Accounts) Token(ctx context.Context, id string) (t Token, err error) {
	err = t.scan(a.db.QueryRowContext(ctx, `SELECT `+tokenRow+` FROM tokens t WHERE t.id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = noToken(id)
	}
	return t, err
}

func noToken(id string) error {
	return fault.Errorf(fault.NotFound, "token_not_found", "Token '%s' not found", fault.Clip(id))
}

// readProjects reads projects as queries return them, in the order of their ids.
func readProjects(text string) ([]int64, error) {
	out := []int64{}
	for one := range strings.SplitSeq(text, ",") {
		if one == "" {
			continue
		}
		id, err := strconv.ParseInt(one, 10, 64)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	slices.Sort(out)
	return out, nil
}

// CreateToken makes a token of a user, and returns it with what is known of it. Its role and projects are the most that
// it may do; it never does more than its user may.
func (a *Accounts) CreateToken(ctx context.Context, t Token) (Token, string, error) {
	now := a.now()
	switch {
	case t.Role < access.Reader || t.Role > access.Admin:
		return t, "", invalid("role", "must be reader, writer, maintainer or admin")
	case t.Projects != nil && (len(t.Projects) == 0 || slices.Min(t.Projects) < 1):
		return t, "", invalid("projects", "must name at least one project; leave it out for all")
	case !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(now):
		return t, "", invalid("expires_at", "must be in the future, by the server's clock")
	}
	u, err := a.User(ctx, t.User)
	if err != nil {
		return t, "", err
	}
	isAdmins := u.Roles[0] == access.Admin && t.Role == access.Admin && t.Projects == nil && t.ExpiresAt.IsZero()
	isClosed, err := a.IsClosed()
	if err != nil {
		return t, "", err
	}
	if !isClosed && !isAdmins {
		return t, "", fault.Errorf(fault.Conflict, "admin_token_first", "This would be the server's first token: from then "+
			"on no one is let in without one. Make one of an admin first, for all projects and without an end.")
	}
	id, secret := make([]byte, 8), access.NewToken()
	rand.Read(id)
	t.ID, t.CreatedAt = tokenIDPrefix+hex.EncodeToString(id), now
	if err = a.addToken(ctx, t, access.HashOf(secret)); err != nil {
		return t, "", err
	}
	a.close()
	return t, secret, nil
}

// addToken records a token.
func (a *Accounts) addToken(ctx context.Context, t Token, hash access.Hash) error {
	return a.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO tokens
			(id, hash, user_name, description, role, all_projects, created_at, created_by, expires_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			t.ID, hash[:], t.User, t.Description, t.Role.String(), t.Projects == nil, micros(t.CreatedAt), t.CreatedBy,
			micros(t.ExpiresAt))
		if err != nil {
			return taken(err, noUser(t.User)) // removed since
		}
		for _, project := range t.Projects {
			if _, err := tx.ExecContext(ctx,
				`INSERT INTO token_projects (token_id, project_id) VALUES (?, ?) ON CONFLICT DO NOTHING`,
				t.ID, project); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO closed (is_closed) VALUES (1) ON CONFLICT DO NOTHING`)
		return err
	})
}

// RevokeToken removes a token: one of a user, or of anyone if user is empty. No request is let in with it any more.
func (a *Accounts) RevokeToken(ctx context.Context, id, user string) error {
	return a.db.Write(ctx, func(tx *sql.Tx) error {
		return one(ctx, tx, noToken(id),
			`DELETE FROM tokens WHERE id = ?1 AND (?2 = '' OR user_name = ?2)`, id, user)
	})
}

// ByHash and ByID return what a valid token stands for.
func (a *Accounts) ByHash(hash access.Hash) (access.Held, error) {
	return a.held("t.hash = ?", hash[:])
}

// ByID returns what a valid token stands for.
func (a *Accounts) ByID(id string) (access.Held, error) { return a.held("t.id = ?", id) }

// held finds a token, with what it leaves of its user's roles.
func (a *Accounts) held(where string, arg any) (access.Held, error) {
	var t Token
	var disabled bool
	var roles string
	err := t.scan(a.db.QueryRow(`SELECT `+tokenRow+`, u.is_disabled,
		`+rolesOf+`
		FROM tokens t JOIN users u ON u.name = t.user_name WHERE `+where, arg), &disabled, &roles)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return access.Held{}, access.ErrUnknown
	case err != nil:
		return access.Held{}, err
	case disabled || !t.ExpiresAt.IsZero() && !a.now().Before(t.ExpiresAt):
		return access.Held{}, access.ErrUnknown
	}
	of, err := readRoles(roles)
	return access.Held{ID: t.ID, User: t.User, Roles: of.Within(t.Role, t.Projects)}, err
}

// useEvery is how often the last use of a token is recorded at most: each time is a transaction.
const useEvery = time.Minute

// Used notes that a token is in use. It does not wait until that is recorded.
func (a *Accounts) Used(id string) {
	a.noteUse(id, a.now(), `UPDATE tokens SET used_at = ?2 WHERE id = ?1 AND used_at < ?2`)
}

// noteUse records the last use of a token or session, by a statement whose parameters are its id and the time.
func (a *Accounts) noteUse(id string, now time.Time, statement string, more ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last, ok := a.used[id]; ok && now.Sub(last) < useEvery && !now.Before(last) {
		return
	}
	for other, at := range a.used { // of those that are no longer used, nothing is kept
		if now.Sub(at) >= useEvery {
			delete(a.used, other)
		}
	}
	a.used[id] = now
	a.record.Go(func() {
		err := a.db.Write(context.Background(), func(tx *sql.Tx) error {
			_, err := tx.Exec(statement, append([]any{id, micros(now)}, more...)...)
			return err
		})
		if err != nil {
			a.log.Warn("the use of a token or session could not be recorded", "id", id, "error", err)
		}
	})
}
