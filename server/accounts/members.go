package accounts

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rowback/rowback/server/access"
)

// Admit returns the roles that someone whom an identity provider vouches for has been given here. At the first login
// the user is added, and is that identity's from then on: another one by the same name is refused. A user who is there
// already is only given to an identity once an admin has said so (single_sign_on): anyone at the provider might have,
// or get, a name that was given to someone else here.
func (a *Accounts) Admit(of access.Identity) (access.Roles, error) {
	m, err := a.member(of)
	if errors.Is(err, errNew) {
		if err = a.addMember(of); err == nil {
			m, err = a.member(of)
		}
	}
	if err == nil && m.until.Before(of.ExpiresAt) && !slices.Equal(m.groups, of.Groups) {
		err = a.setGroups(of)
	}
	return m.roles, err
}

// member is a user whom an identity provider vouches for.
type member struct {
	roles  access.Roles
	groups []string  // that were told last
	until  time.Time // the end of the token that told them: older ones are not believed
}

// errNew is returned for an identity at its first login.
var errNew = errors.New("an identity that is not recorded")

// refused returns the refusal of an identity.
func refused(format string, args ...any) error {
	return &access.RefusedError{Why: fmt.Sprintf(format, args...)}
}

// member returns an identity's user.
func (a *Accounts) member(of access.Identity) (m member, err error) {
	var name, roles, groups string
	var disabled bool
	var until int64
	err = a.db.QueryRow(`SELECT u.name, u.is_disabled, i.last_groups, i.groups_until,
		`+rolesOf+`
		FROM identities i JOIN users u ON u.name = i.user_name WHERE i.issuer = ? AND i.subject = ?`,
		of.Issuer, of.Subject).Scan(&name, &disabled, &groups, &until, &roles)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return m, errNew
	case err != nil:
		return m, err
	case disabled:
		return m, refused("The user '%s' is disabled. Ask an admin.", name)
	case name != of.User:
		return m, refused("The identity provider calls this user '%s', and did call it '%s'. Ask an admin.", of.User, name)
	}
	if m.roles, err = readRoles(roles); err != nil {
		return m, err
	}
	m.until = moment(until)
	return m, json.Unmarshal([]byte(groups), &m.groups)
}

// addMember records an identity, and its user if there is none of that name.
func (a *Accounts) addMember(of access.Identity) error {
	if access.CheckUserName(of.User) != nil {
		return refused("'%s' can't be a user's name here.", of.User)
	}
	groups, err := groupsText(of.Groups)
	if err != nil {
		return err
	}
	ctx := context.Background()
	return a.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO users (name, description, single_sign_on, created_at)
			VALUES (?, ?, TRUE, ?) ON CONFLICT DO NOTHING`, of.User, "by "+of.Issuer, micros(a.now()))
		if err != nil {
			return err
		}
		var isLinked bool
		err = tx.QueryRowContext(ctx, `SELECT single_sign_on FROM users WHERE name = ?`, of.User).Scan(&isLinked)
		switch {
		case err != nil:
			return err
		case !isLinked:
			return refused("There is a user '%s' here, who does not log in at the identity provider. If that is the same "+
				"person, have an admin say so (rowback user link %s).", of.User, of.User)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO identities (issuer, subject, user_name, last_groups, groups_until)
			VALUES (?, ?, ?, ?, ?) ON CONFLICT (issuer, subject) DO NOTHING`,
			of.Issuer, of.Subject, of.User, groups, micros(of.ExpiresAt))
		return taken(err, refused("The user '%s' is another identity's at the provider. If it was renewed there, have an "+
			"admin link the user again (rowback user unlink, then link).", of.User))
	})
}

// setGroups records the groups that the provider tells now.
func (a *Accounts) setGroups(of access.Identity) error {
	groups, err := groupsText(of.Groups)
	if err != nil {
		return err
	}
	ctx := context.Background()
	return a.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE identities SET last_groups = ?1, groups_until = ?2
			WHERE issuer = ?3 AND subject = ?4 AND groups_until < ?2`, groups, micros(of.ExpiresAt), of.Issuer, of.Subject)
		if err != nil {
			return err
		}
		return a.changed(ctx, tx, of.User)
	})
}

// groupsText is how groups are stored.
func groupsText(groups []string) (string, error) {
	text, err := json.Marshal(slices.Concat([]string{}, groups))
	return string(text), err
}

// part ends what links a user to the identity provider: the identity, and the sessions that it vouched for.
func part(ctx context.Context, tx *sql.Tx, user string) error {
	for _, statement := range []string{
		`DELETE FROM identities WHERE user_name = ?`,
		`DELETE FROM sessions WHERE user_name = ? AND identity IS NOT NULL`,
	} {
		if _, err := tx.ExecContext(ctx, statement, user); err != nil {
			return err
		}
	}
	return nil
}
