package accounts

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rowback/rowback/storage/fault"
)

// Project is a project with a name. Datasets may be in others too, which their numbers name.
type Project struct {
	ID          int64
	Name        string
	Description string
	CreatedAt   time.Time
}

// ProjectEdit changes a project; nil: it stays.
type ProjectEdit struct{ Name, Description *string }

// ErrNoProject refuses a project that is not there.
var ErrNoProject = fault.New(fault.NotFound, "project_not_found")

const projectRow = `id, name, description, created_at`

func scanProject(row interface{ Scan(...any) error }) (p Project, err error) {
	var created int64
	err = row.Scan(&p.ID, &p.Name, &p.Description, &created)
	p.CreatedAt = moment(created)
	return p, err
}

// Projects lists the projects that have names, by id.
func (a *Accounts) Projects(ctx context.Context) ([]Project, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT `+projectRow+` FROM projects ORDER BY id`)
	return list(rows, err, func(r *sql.Rows) (Project, error) { return scanProject(r) })
}

// Project returns a project by its id; ok is false if it has no name of its own.
func (a *Accounts) Project(ctx context.Context, id int64) (p Project, ok bool, err error) {
	p, err = scanProject(a.db.QueryRowContext(ctx, `SELECT `+projectRow+` FROM projects WHERE id = ?`, id))
	if err == sql.ErrNoRows {
		return Project{ID: id, Name: strconv.FormatInt(id, 10)}, false, nil
	}
	return p, err == nil, err
}

// ProjectID returns the id of the project that a client names: by its name, or by its number. * is 0, all projects.
func (a *Accounts) ProjectID(ctx context.Context, named string) (id int64, err error) {
	if named == "*" {
		return 0, nil
	}
	err = a.db.QueryRowContext(ctx, `SELECT id FROM projects WHERE name = ?`, named).Scan(&id)
	if err != sql.ErrNoRows {
		return id, err
	}
	if id, err = strconv.ParseInt(named, 10, 64); err != nil || id < 1 {
		return 0, ErrNoProject.Sayf("Project '%s' not found", fault.Clip(named))
	}
	return id, nil
}

// checkProjectName refuses names that could be taken for something else: a number names the project with that id.
func checkProjectName(name string) error {
	switch {
	case name == "" || len(name) > 255 || !utf8.ValidString(name) || strings.TrimSpace(name) != name ||
		strings.ContainsFunc(name, unicode.IsControl):
		return invalid("name", "must have 1 to 255 bytes of UTF-8, no control characters, and no spaces around it")
	case name == "*" || isNumber(name):
		return invalid("name", "must not be a number or *, which name projects already")
	}
	return nil
}

// isNumber reports whether a name is written as a number is, of whatever size.
func isNumber(name string) bool {
	digits := strings.TrimLeft(name, "+-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// CreateProject adds a project. Without an id it gets the one after least and after those of all others.
func (a *Accounts) CreateProject(ctx context.Context, p Project, least int64) (Project, error) {
	if err := checkProjectName(p.Name); err != nil {
		return p, err
	}
	p.CreatedAt = a.now()
	err := a.db.Write(ctx, func(tx *sql.Tx) error {
		if p.ID == 0 {
			// Roles may have been given in a project before it has a name: they must not fall to another one.
			err := tx.QueryRowContext(ctx, `SELECT max(id) + 1 FROM (SELECT CAST(? AS BIGINT) AS id UNION ALL
				SELECT id FROM projects UNION ALL SELECT project_id FROM roles UNION ALL
				SELECT project_id FROM token_projects) AS given`,
				least).Scan(&p.ID)
			if err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO projects (id, name, description, created_at) VALUES (?, ?, ?, ?)`,
			p.ID, p.Name, p.Description, micros(p.CreatedAt))
		return projectTaken(err, p.Name)
	})
	return p, err
}

// projectTaken is the refusal of a name or an id that another project has.
func projectTaken(err error, name string) error {
	return taken(err, fault.Errorf(fault.Exists, "project_exists",
		"A project with the name '%s', or with this id, already exists. Choose another.", name))
}

// EditProject renames or describes a project; one that had only its number gets the name.
func (a *Accounts) EditProject(ctx context.Context, id int64, e ProjectEdit) (Project, error) {
	p, has, err := a.Project(ctx, id)
	if err != nil {
		return p, err
	}
	if e.Name != nil {
		p.Name = *e.Name
	}
	if e.Description != nil {
		p.Description = *e.Description
	}
	if !has && e.Name == nil {
		return p, invalid("name", "is required: this project has none yet")
	}
	if err := checkProjectName(p.Name); err != nil {
		return p, err
	}
	if !has {
		return a.CreateProject(ctx, p, 0)
	}
	return p, a.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE projects SET name = ?, description = ? WHERE id = ?`, p.Name, p.Description, id)
		return projectTaken(err, p.Name)
	})
}

// RemoveProject removes a project, with the roles that were given in it. Tokens that are for it alone are revoked.
func (a *Accounts) RemoveProject(ctx context.Context, id int64) error {
	return a.db.Write(ctx, func(tx *sql.Tx) error {
		none := ErrNoProject.Sayf("Project %d has no entry", id)
		if err := one(ctx, tx, none, `DELETE FROM projects WHERE id = ?`, id); err != nil {
			return err
		}
		for _, query := range []string{
			`DELETE FROM roles WHERE project_id = ?`,
			`DELETE FROM tokens WHERE NOT all_projects AND id IN (SELECT token_id FROM token_projects WHERE project_id = ?1)
				AND NOT EXISTS (SELECT 1 FROM token_projects p WHERE p.token_id = tokens.id AND p.project_id <> ?1)`,
			`DELETE FROM token_projects WHERE project_id = ?`,
		} {
			if _, err := tx.ExecContext(ctx, query, id); err != nil {
				return err
			}
		}
		return nil
	})
}
