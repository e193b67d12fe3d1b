package accounts

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/storage/fault"
)

// User is someone who may be given roles and tokens.
type User struct {
	Name        string
	Description string
	IsDisabled  bool
	CreatedAt   time.Time
	Roles       access.Roles

	SingleSignOn bool // whoever the identity provider calls by this name is this user
}

// UserEdit changes a user; nil: it stays.
type UserEdit struct {
	Description  *string
	IsDisabled   *bool
	SingleSignOn *bool
}

// ErrNoUser refuses the name of someone who is not there.
var ErrNoUser = fault.New(fault.NotFound, "user_not_found")

func noUser(name string) error { return ErrNoUser.Sayf("User '%s' not found", fault.Clip(name)) }

const userRow = `u.name, u.description, u.is_disabled, u.single_sign_on, u.created_at, ` + rolesOf

func scanUser(row interface{ Scan(...any) error }) (u User, err error) {
	var created int64
	var roles string
	if err = row.Scan(&u.Name, &u.Description, &u.IsDisabled, &u.SingleSignOn, &created, &roles); err != nil {
		return u, err
	}
	u.CreatedAt = moment(created)
	u.Roles, err = readRoles(roles)
	return u, err
}

// rolesOf is the column of a user's roles, each as its project and its name.
const rolesOf = `coalesce((SELECT string_agg(CAST(r.project_id AS TEXT) || ' ' || r.role, ',') FROM roles r
	WHERE r.user_name = u.name), '')`

// readRoles reads roles as queries return them.
func readRoles(text string) (access.Roles, error) {
	out := access.Roles{}
	for pair := range strings.SplitSeq(text, ",") {
		if pair == "" {
			continue
		}
		project, name, _ := strings.Cut(pair, " ")
		id, err := strconv.ParseInt(project, 10, 64)
		if err != nil {
			return nil, err
		}
		if out[id], err = access.ParseRole(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Users lists users by name, after one.
func (a *Accounts) Users(ctx context.Context, after string, limit int) ([]User, error) {
	rows, err := a.db.QueryContext(ctx,
		`SELECT `+userRow+` FROM users u WHERE u.name > ? ORDER BY u.name LIMIT ?`, after, limit)
	return list(rows, err, func(r *sql.Rows) (User, error) { return scanUser(r) })
}

// User returns one user.
func (a *Accounts) User(ctx context.Context, name string) (User, error) {
	u, err := scanUser(a.db.QueryRowContext(ctx, `SELECT `+userRow+` FROM users u WHERE u.name = ?`, name))
	if err == sql.ErrNoRows {
		err = noUser(name)
	}
	return u, err
}

// CreateUser adds a user with roles.
func (a *Accounts) CreateUser(ctx context.Context, u User) (User, error) {
	if err := access.CheckUserName(u.Name); err != nil {
		return u, invalid("name", err.Error())
	}
	u.CreatedAt = a.now()
	err := a.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx,
			`INSERT INTO users (name, description, is_disabled, single_sign_on, created_at) VALUES (?, ?, ?, ?, ?)`,
			u.Name, u.Description, u.IsDisabled, u.SingleSignOn, micros(u.CreatedAt))
		if err != nil {
			return taken(err, fault.Errorf(fault.Exists, "user_exists",
				"User '%s' already exists. Change its roles, or choose another name.", u.Name))
		}
		return setRoles(ctx, tx, u.Name, u.Roles)
	})
	return u, err
}

// setRoles gives a user roles in place of those that it has.
func setRoles(ctx context.Context, tx *sql.Tx, name string, roles access.Roles) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM roles WHERE user_name = ?`, name); err != nil {
		return err
	}
	for project, role := range roles {
		if err := checkRole(project, role); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO roles (user_name, project_id, role) VALUES (?, ?, ?)`,
			name, project, role.String()); err != nil {
			return err
		}
	}
	return nil
}

// SetRoles gives a user roles in place of those that it has.
func (a *Accounts) SetRoles(ctx context.Context, name string, roles access.Roles) (User, error) {
	err := a.db.Write(ctx, func(tx *sql.Tx) error {
		if err := one(ctx, tx, noUser(name), `UPDATE users SET name = name WHERE name = ?`, name); err != nil {
			return err
		}
		if err := setRoles(ctx, tx, name, roles); err != nil {
			return err
		}
		return a.changed(ctx, tx, name)
	})
	if err != nil {
		return User{}, err
	}
	return a.User(ctx, name)
}

// EditUser describes, disables or enables a user, and links it to the identity provider or parts it from there.
func (a *Accounts) EditUser(ctx context.Context, name string, e UserEdit) (User, error) {
	var set []string
	var args []any
	if e.Description != nil {
		set, args = append(set, "description = ?"), append(args, *e.Description)
	}
	if e.IsDisabled != nil {
		set, args = append(set, "is_disabled = ?"), append(args, *e.IsDisabled)
	}
	if e.SingleSignOn != nil {
		set, args = append(set, "single_sign_on = ?"), append(args, *e.SingleSignOn)
	}
	if len(set) == 0 {
		return a.User(ctx, name)
	}
	err := a.db.Write(ctx, func(tx *sql.Tx) error {
		err := one(ctx, tx, noUser(name), `UPDATE users SET `+strings.Join(set, ", ")+` WHERE name = ?`,
			append(args, name)...)
		if err == nil && e.IsDisabled != nil && *e.IsDisabled {
			_, err = tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_name = ?`, name)
		}
		if err == nil && e.SingleSignOn != nil && !*e.SingleSignOn {
			err = part(ctx, tx, name)
		}
		if err != nil {
			return err
		}
		return a.changed(ctx, tx, name)
	})
	if err != nil {
		return User{}, err
	}
	return a.User(ctx, name)
}

// RemoveUser removes a user with all roles, tokens and sessions. What the user did stays in the history, and sessions
// of an operator's token by the same name stay the operator's.
func (a *Accounts) RemoveUser(ctx context.Context, name string) error {
	return a.db.Write(ctx, func(tx *sql.Tx) error {
		if err := one(ctx, tx, noUser(name), `DELETE FROM users WHERE name = ?`, name); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_name = ? AND fixed_hash IS NULL`, name)
		if err != nil {
			return err
		}
		return a.changed(ctx, tx, name)
	})
}

// IsDisabled reports whether there is a user of that name who is disabled.
func (a *Accounts) IsDisabled(name string) (is bool, err error) {
	err = a.db.QueryRow(`SELECT EXISTS (SELECT 1 FROM users WHERE name = ? AND is_disabled)`, name).Scan(&is)
	return is, err
}
