// Package permit tells the domain what the caller of a request may do: every face gives its requests' contexts a
// permit, and the store asks it wherever datasets are named, listed, made or changed.
//
// Of a project in which the caller has no role, nothing is known: its datasets are not found. Where the caller has a
// role that is not enough, the refusal says which one is needed.
package permit

import (
	"context"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
)

// permit is what a caller may do in a request that needs a role.
type permit struct {
	caller access.Caller
	role   access.Role
}

// With returns the context of a request of a caller, which needs a role in the projects of all datasets that it names.
func With(ctx context.Context, c access.Caller, role access.Role) context.Context {
	return storage.WithPermit(ctx, permit{c, role})
}

// Check refuses a caller who does not have a role in a project.
func Check(c access.Caller, project int64, role access.Role) error {
	switch {
	case c.May(project, role):
		return nil
	case c.Role(project) == access.None:
		return fault.Errorf(fault.NotFound, "project_not_found", "Project %d not found", project)
	}
	return fault.Errorf(fault.Forbidden, "role_needed", "This needs the role %s in project %d; yours is %s. "+
		"Ask an admin for it, or use a token that has it.", role, project, c.Role(project)).
		With("role", role.String()).With("project_id", project)
}

// CheckSomewhere refuses a caller who does not have a role in any project.
func CheckSomewhere(c access.Caller, role access.Role) error {
	if c.MaySomewhere(role) {
		return nil
	}
	return fault.Errorf(fault.Forbidden, "role_needed", "This needs the role %s in a project. Ask an admin for it.", role).
		With("role", role.String())
}

// CheckAdmin refuses a caller who is not an admin.
func CheckAdmin(c access.Caller) error {
	if c.IsAdmin() {
		return nil
	}
	return fault.Errorf(fault.Forbidden, "role_needed", "This needs the role admin in all projects. "+
		"Ask an admin, or use a token that has it.").With("role", access.Admin.String())
}

// Sees reports whether the caller may know of a project.
func (p permit) Sees(project int64) bool { return p.caller.Role(project) > access.None }

// Use refuses what the request does to datasets of a project, if the caller may not do it.
func (p permit) Use(project int64) error { return Check(p.caller, project, p.role) }

// Create refuses a new dataset in a project, if the caller may not create any.
func (p permit) Create(project int64) error { return Check(p.caller, project, access.Writer) }

// Shape refuses a change of what a dataset is, if the caller may change only its records.
func (p permit) Shape(project int64) error { return Check(p.caller, project, access.Maintainer) }

// Again returns the permit as of now: the caller's token may have been revoked meanwhile, or a role taken away.
func (p permit) Again() storage.Permit { return permit{p.caller.Again(), p.role} }

// Reading returns the permit for what the request only reads.
func (p permit) Reading() storage.Permit { return permit{p.caller, access.Reader} }
