package api

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage/fault"
)

// grant is a role in a project.
type grant struct {
	Project string `json:"project" required:"true" description:"${grant.project}"`
	Role    string `json:"role" required:"true" enum:"reader,writer,maintainer,admin"`
}

// userView is a user as admins see it.
type userView struct {
	Name        string    `json:"name"`
	Description string    `json:"description"`
	IsDisabled  bool      `json:"is_disabled"`
	CreatedAt   time.Time `json:"created_at"`
	Roles       []grant   `json:"roles"`

	SingleSignOn bool `json:"single_sign_on" description:"${user.single_sign_on}"`
}

// kept returns the accounts, or the refusal of a server that has none.
func (a *API) kept() (*accounts.Accounts, error) {
	if a.options.Accounts == nil {
		return nil, fault.Errorf(fault.Unavailable, "no_accounts", "This server keeps no users.")
	}
	return a.options.Accounts, nil
}

// onAccounts returns the handler of requests about users, tokens and projects.
func onAccounts[In any](a *API, answer func(*fiber.Ctx, *accounts.Accounts, In) error) fiber.Handler {
	return handle(a, func(context.Context, In) (*accounts.Accounts, error) { return a.kept() }, answer)
}

// projectNames returns the names of projects by id; one that is missing has its number as its name.
func (a *API) projectNames(ctx context.Context) (map[int64]string, error) {
	known, err := a.kept()
	if err != nil {
		return nil, err
	}
	all, err := known.Projects(ctx)
	names := map[int64]string{0: "*"}
	for _, p := range all {
		names[p.ID] = p.Name
	}
	return names, err
}

// nameOf returns a project's name.
func nameOf(names map[int64]string, id int64) string {
	if name, ok := names[id]; ok {
		return name
	}
	return strconv.FormatInt(id, 10)
}

// viewUser returns a user as admins see it.
func viewUser(u accounts.User, names map[int64]string) userView {
	v := userView{
		Name: u.Name, Description: u.Description, IsDisabled: u.IsDisabled, CreatedAt: u.CreatedAt, Roles: []grant{},
		SingleSignOn: u.SingleSignOn,
	}
	ids := make([]int64, 0, len(u.Roles))
	for id := range u.Roles {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		v.Roles = append(v.Roles, grant{nameOf(names, id), u.Roles[id].String()})
	}
	return v
}

// rolesOf reads roles as clients write them.
func (a *API) rolesOf(ctx context.Context, grants []grant) (access.Roles, error) {
	known, err := a.kept()
	if err != nil {
		return nil, err
	}
	out := access.Roles{}
	for _, g := range grants {
		role, err := access.ParseRole(g.Role)
		if err != nil {
			return nil, invalid("roles", err.Error())
		}
		id, err := known.ProjectID(ctx, g.Project)
		if err != nil {
			return nil, err
		}
		if _, twice := out[id]; twice {
			return nil, invalid("roles", "name a project twice")
		}
		out[id] = role
	}
	return out, nil
}

// tellUser answers with a user, who is noted in the audit log as well, where the request is recorded.
func (a *API) tellUser(c *fiber.Ctx, status int, u accounts.User, err error) error {
	if err != nil {
		return err
	}
	noteUser(c.UserContext(), u)
	names, err := a.projectNames(c.UserContext())
	if err != nil {
		return err
	}
	location := ""
	if status == http.StatusCreated {
		location = "/api/v1/users/" + url.PathEscape(u.Name)
	}
	told, err := say(status, location, viewUser(u, names))
	if err != nil {
		return err
	}
	return send(c, told)
}

// noteUser notes whom a request is about, and what that user may do from then on, in the audit log.
func noteUser(ctx context.Context, u accounts.User) {
	var roles []string
	for _, project := range slices.Sorted(maps.Keys(u.Roles)) {
		where := fmt.Sprintf("project %d", project)
		if project == 0 {
			where = "all projects"
		}
		roles = append(roles, u.Roles[project].String()+" in "+where)
	}
	state := ""
	if u.IsDisabled {
		state = " (disabled)"
	}
	audit.Of(ctx).About("user %s%s: %s", u.Name, state, cmp.Or(strings.Join(roles, ", "), "no role"))
}

// userList is a page of users.
type userList struct {
	Users      []userView `json:"users"`
	NextCursor *string    `json:"next_cursor"`
}

// listUsersIn selects a page of users.
type listUsersIn struct{ pageIn }

// listUsers lists users by name.
func (a *API) listUsers(c *fiber.Ctx, known *accounts.Accounts, in listUsersIn) error {
	ctx := c.UserContext()
	page, next, err := pageOf(in.pageIn, func(after string, limit int) ([]accounts.User, error) {
		return known.Users(ctx, after, limit)
	}, func(u accounts.User) string { return u.Name })
	if err != nil {
		return err
	}
	names, err := a.projectNames(ctx)
	if err != nil {
		return err
	}
	return ok(c, userList{views(page, func(u accounts.User) userView { return viewUser(u, names) }), next})
}

// pageOf reads a page of a list that is ordered by key, and the cursor of the next one; nil: there is none.
func pageOf[T any](
	in pageIn, read func(after string, limit int) ([]T, error), key func(T) string,
) (page []T, next *string, err error) {
	limit, err := in.limit()
	if err != nil {
		return nil, nil, err
	}
	after, err := in.after()
	if err != nil {
		return nil, nil, err
	}
	page, err = read(after, limit+1)
	if err == nil && len(page) > limit {
		page = page[:limit]
		next = cursor(key(page[limit-1]))
	}
	return page, next, err
}

// createUserIn is the request to add a user.
type createUserIn struct {
	Name        string  `json:"name" required:"true" minLength:"1" maxLength:"255"`
	Description string  `json:"description"`
	Roles       []grant `json:"roles"`

	SingleSignOn bool `json:"single_sign_on" description:"${user.single_sign_on}"`
}

// createUser adds a user. It is let in once it has a token.
func (a *API) createUser(c *fiber.Ctx, known *accounts.Accounts, in createUserIn) error {
	roles, err := a.rolesOf(c.UserContext(), in.Roles)
	if err != nil {
		return err
	}
	u, err := known.CreateUser(c.UserContext(), accounts.User{
		Name: in.Name, Description: in.Description, Roles: roles, SingleSignOn: in.SingleSignOn,
	})
	return a.tellUser(c, http.StatusCreated, u, err)
}

// userIn identifies a user.
type userIn struct {
	User string `path:"user" required:"true" json:"-"`
}

// getUser describes a user, to admins and to that user.
func (a *API) getUser(c *fiber.Ctx, known *accounts.Accounts, in userIn) error {
	if caller := host.Caller(c); caller.User != in.User {
		if err := permit.CheckAdmin(caller); err != nil {
			return err
		}
	}
	u, err := known.User(c.UserContext(), in.User)
	maps.DeleteFunc(u.Roles, func(project int64, _ access.Role) bool { // those that the user's token is not for
		return project != 0 && host.Caller(c).Role(project) == access.None
	})
	return a.tellUser(c, http.StatusOK, u, err)
}

// editUserIn is the request to describe, disable or enable a user.
type editUserIn struct {
	userIn
	Description *string `json:"description" nullable:"false"`
	IsDisabled  *bool   `json:"is_disabled" nullable:"false" description:"${user.is_disabled}"`

	SingleSignOn *bool `json:"single_sign_on" nullable:"false" description:"${user.unlink}"`
}

// editUser describes, disables or enables a user.
func (a *API) editUser(c *fiber.Ctx, known *accounts.Accounts, in editUserIn) error {
	if in.IsDisabled != nil && *in.IsDisabled {
		if err := notOneself(c, in.User); err != nil {
			return err
		}
	}
	u, err := known.EditUser(c.UserContext(), in.User,
		accounts.UserEdit{Description: in.Description, IsDisabled: in.IsDisabled, SingleSignOn: in.SingleSignOn})
	return a.tellUser(c, http.StatusOK, u, err)
}

// notOneself refuses what would take an admin's own rights away: the last one could lock all out.
func notOneself(c *fiber.Ctx, user string) error {
	if host.Caller(c).User != user {
		return nil
	}
	return fault.Errorf(fault.Conflict, "own_user",
		"Admins can't remove, disable or demote themselves. Have another admin do that.")
}

// setRolesIn is the request to give a user roles.
type setRolesIn struct {
	userIn
	Roles []grant `json:"roles" required:"true" nullable:"false"`
}

// setRoles gives a user roles, in place of all before.
func (a *API) setRoles(c *fiber.Ctx, known *accounts.Accounts, in setRolesIn) error {
	roles, err := a.rolesOf(c.UserContext(), in.Roles)
	if err == nil && roles[0] < access.Admin {
		err = notOneself(c, in.User)
	}
	if err != nil {
		return err
	}
	u, err := known.SetRoles(c.UserContext(), in.User, roles)
	return a.tellUser(c, http.StatusOK, u, err)
}

// deleteUser removes a user, with roles and tokens. What the user did stays in the history.
func (a *API) deleteUser(c *fiber.Ctx, known *accounts.Accounts, in userIn) error {
	err := notOneself(c, in.User)
	if err == nil {
		err = known.RemoveUser(c.UserContext(), in.User)
	}
	if err != nil {
		return err
	}
	audit.Of(c.UserContext()).About("user %s", in.User)
	return c.SendStatus(http.StatusNoContent)
}
