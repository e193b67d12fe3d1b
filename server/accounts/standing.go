package accounts

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/rowback/rowback/server/access"
)

// Standing is what a user has been given at a moment. What someone made and what goes on without them, such as a
// webhook, depends on it.
type Standing struct {
	User       string
	Exists     bool
	IsDisabled bool
	Roles      access.Roles     // given here
	Identity   *access.Identity // with the groups that the provider told last; nil: none
}

// rows is the database, or a transaction of it.
type rows interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Standing returns what a user has been given, as of now.
func (a *Accounts) Standing(ctx context.Context, user string) (Standing, error) {
	return standing(ctx, a.db, user)
}

// standing returns the roles and identity of a user. An unknown user has none, which is not an error.
func standing(ctx context.Context, from rows, user string) (Standing, error) {
	s := Standing{User: user, Roles: access.Roles{}}
	var roles string
	var issuer, subject, groups sql.NullString
	err := from.QueryRowContext(ctx, `SELECT u.is_disabled,
		`+rolesOf+`,
		i.issuer, i.subject, i.last_groups
		FROM users u LEFT JOIN identities i ON i.user_name = u.name WHERE u.name = ?`, user).
		Scan(&s.IsDisabled, &roles, &issuer, &subject, &groups)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.Exists = true
	if s.Roles, err = readRoles(roles); err != nil || !issuer.Valid {
		return s, err
	}
	s.Identity = &access.Identity{Issuer: issuer.String, Subject: subject.String, User: user}
	return s, json.Unmarshal([]byte(groups.String), &s.Identity.Groups)
}

// changed tells of a user whose roles or state were changed in a transaction.
func (a *Accounts) changed(ctx context.Context, tx *sql.Tx, user string) error {
	if a.Changed == nil {
		return nil
	}
	s, err := standing(ctx, tx, user)
	if err != nil {
		return err
	}
	return a.Changed(tx, s)
}
