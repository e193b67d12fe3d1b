package api

import (
	"maps"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
)

// meView is who the caller is, and what they may do.
type meView struct {
	User      string   `json:"user" description:"\"anonymous\" where no one has to say who they are."`
	IsAdmin   bool     `json:"is_admin"`
	IsOpen    bool     `json:"is_open" description:"${me.is_open}"`
	IsSession bool     `json:"is_session" description:"The caller has logged in, and can log out."`
	Roles     []roleIn `json:"roles" description:"What the token leaves of the user's."`
}

// roleIn is a role that the caller has.
type roleIn struct {
	ProjectID *int64 `json:"project_id" description:"null: in all projects."`
	Role      string `json:"role" enum:"reader,writer,maintainer,admin"`
}

// getMe says who the caller is.
func (a *API) getMe(c *fiber.Ctx) error {
	var in struct{}
	if err := a.bind(c, &in); err != nil {
		return err
	}
	caller := host.Caller(c)
	v := meView{
		User: caller.User, IsAdmin: caller.IsAdmin(), IsOpen: a.host.IsOpen(), IsSession: caller.Session != "",
		Roles: []roleIn{},
	}
	for _, project := range slices.Sorted(maps.Keys(caller.Roles)) {
		role := roleIn{Role: caller.Roles[project].String()}
		if project != 0 {
			role.ProjectID = &project
		}
		v.Roles = append(v.Roles, role)
	}
	return ok(c, v)
}
