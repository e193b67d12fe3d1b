package accounts

import (
	"context"
	"database/sql"
	"errors"

	"github.com/rowback/rowback/server/access"
)

// Admit returns the roles that someone whom an identity provider vouches for has been given here. At the first login
// the user is added, if need be, and is that identity's from then on: another one by the same name is refused.
func (a *Accounts) Admit(of access.Identity) (access.Roles, error) {
	roles, err := a.member(of)
	if !errors.Is(err, errNew) {
		return roles, err
	}
	if err := a.addMember(of); err != nil {
		return nil, err
	}
	return a.member(of)
}

// errNew is returned for an identity at its first login.
var errNew = errors.New("an identity that is not recorded")

// member returns the roles of an identity's user.
func (a *Accounts) member(of access.Identity) (access.Roles, error) {
	var name, roles string
	var disabled bool
	err := a.db.QueryRow(`SELECT u.name, u.is_disabled,
		(SELECT json_group_array(json_array(r.project_id, r.role)) FROM roles r WHERE r.user_name = u.name)
		FROM identities i JOIN users u ON u.name = i.user_name WHERE i.issuer = ? AND i.subject = ?`,
		of.Issuer, of.Subject).Scan(&name, &disabled, &roles)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, errNew
	case err != nil:
		return nil, err
	case disabled, name != of.User:
		return nil, access.ErrUnknown
	}
	return readRoles(roles)
}

// addMember records an identity, and its user if there is none of that name. A user who is another identity's, or has
// another name at the provider now, is not given away.
func (a *Accounts) addMember(of access.Identity) error {
	if access.CheckUserName(of.User) != nil {
		return access.ErrUnknown
	}
	ctx := context.Background()
	return a.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO users (name, description, created_at) VALUES (?, ?, ?)`,
			of.User, "by "+of.Issuer, micros(a.now()))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO identities (issuer, subject, user_name) VALUES (?, ?, ?)
			ON CONFLICT (issuer, subject) DO NOTHING`, of.Issuer, of.Subject, of.User)
		return taken(err, access.ErrUnknown)
	})
}
