package cli

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rowback/rowback/server/terminal"
)

// userCmd manages users.
type userCmd struct {
	List    userListCmd    `cmd:"" default:"withargs" help:"List users with their roles (the default)."`
	Create  userCreateCmd  `cmd:"" help:"Add a user."`
	Grant   userGrantCmd   `cmd:"" help:"Give a user a role in a project, or take it away."`
	Disable userDisableCmd `cmd:"" help:"Let a user in no more, at once."`
	Enable  userEnableCmd  `cmd:"" help:"Let a disabled user in again."`
	Link    userLinkCmd    `cmd:"" help:"Let the identity provider log a user in, under the user's name."`
	Unlink  userUnlinkCmd  `cmd:"" help:"Let the identity provider not log a user in any more."`
	Delete  userDeleteCmd  `cmd:"" help:"Remove a user with all roles and tokens."`
}

// grantAnswer is a role in a project.
type grantAnswer struct {
	Project string `json:"project"`
	Role    string `json:"role"`
}

// userAnswer is a user as the command line shows it.
type userAnswer struct {
	Name        string        `json:"name"`
	Description string        `json:"description"`
	IsDisabled  bool          `json:"is_disabled"`
	CreatedAt   string        `json:"created_at"`
	Roles       []grantAnswer `json:"roles"`

	SingleSignOn bool `json:"single_sign_on"`
}

// String says who that is, on one line.
func (u userAnswer) String() string {
	out := "user " + u.Name + ": " + rolesText(u.Roles)
	if u.IsDisabled {
		out += "; disabled"
	}
	if u.SingleSignOn {
		out += "; logs in at the identity provider"
	}
	return out
}

// rolesText shows roles, as reader in sales, writer in 1.
func rolesText(roles []grantAnswer) string {
	list := make([]string, len(roles))
	for i, g := range roles {
		list[i] = g.Role + " in " + g.Project
	}
	if len(list) == 0 {
		return "no role"
	}
	return strings.Join(list, ", ")
}

// usersPath is the path of a user; of all, without a name.
func usersPath(parts ...string) string {
	path := "/api/v1/users"
	for _, p := range parts {
		path += "/" + url.PathEscape(p)
	}
	return path
}

// userListCmd lists users.
type userListCmd struct {
	remote
	formatFlag
}

// userPage is a page of users.
type userPage struct {
	Users      []userAnswer `json:"users"`
	NextCursor *string      `json:"next_cursor"`
}

// Run lists users, of all pages.
func (cmd *userListCmd) Run(c console) error {
	all, err := allPages(cmd.remote, usersPath(), url.Values{}, func(page userPage) ([]userAnswer, *string) {
		return page.Users, page.NextCursor
	})
	if err != nil {
		return err
	}
	return cmd.print(c, all, "USER\tROLES\tDISABLED\tSSO\tCREATED\tDESCRIPTION", func(row func(...any)) {
		for _, u := range all {
			row(u.Name, rolesText(u.Roles), u.IsDisabled, u.SingleSignOn, terminal.Moment(u.CreatedAt), u.Description)
		}
	})
}

// userCreateCmd adds a user.
type userCreateCmd struct {
	remote
	Name        string `arg:"" help:"The user's name."`
	Role        string `help:"A role: reader, writer, maintainer or admin."`
	Project     string `help:"Name or number of the project of that role; * for all." default:"*" placeholder:"NAME"`
	Description string `short:"m" aliases:"message" placeholder:"TEXT" help:"Who that is."`
	SSO         bool   `name:"sso" help:"Whoever the identity provider calls by this name is this user."`
}

// Run adds a user.
func (cmd *userCreateCmd) Run(c console) error {
	body := map[string]any{"name": cmd.Name, "description": cmd.Description, "single_sign_on": cmd.SSO}
	if cmd.Role != "" {
		body["roles"] = []grantAnswer{{cmd.Project, cmd.Role}}
	}
	var u userAnswer
	if err := cmd.post(usersPath(), nil, body, &u); err != nil {
		return err
	}
	return c.answer(u, func() { c.println(u) })
}

// userGrantCmd changes the role of a user in one project.
type userGrantCmd struct {
	remote
	Name    string `arg:"" help:"The user's name."`
	Role    string `arg:"" help:"reader, writer, maintainer or admin; none takes the role away."`
	Project string `help:"Name or number of the project; * for all." default:"*" placeholder:"NAME"`
}

// Run changes a role, and leaves those in other projects.
func (cmd *userGrantCmd) Run(c console) error {
	var u userAnswer
	if err := cmd.get(usersPath(cmd.Name), nil, &u); err != nil {
		return err
	}
	had := len(u.Roles)
	roles := slices.DeleteFunc(u.Roles, func(g grantAnswer) bool { return g.Project == cmd.Project })
	switch {
	case cmd.Role != "none":
		roles = append(roles, grantAnswer{cmd.Project, cmd.Role})
	case len(roles) == had:
		return errors.New("the user has no role in this project; name it as user list does")
	}
	if err := cmd.call(http.MethodPut, usersPath(cmd.Name, "roles"), nil, map[string]any{"roles": roles}, &u); err != nil {
		return err
	}
	return c.answer(u, func() { c.println(u) })
}

// oneUser is a user on a server.
type oneUser struct {
	remote
	Name string `arg:"" help:"The user's name."`
}

// set changes a field of the user.
func (o oneUser) set(c console, field string, is bool) error {
	var u userAnswer
	err := o.call(http.MethodPatch, usersPath(o.Name), nil, map[string]any{field: is}, &u)
	if err != nil {
		return err
	}
	return c.answer(u, func() { c.println(u) })
}

// The commands that need nothing but a user's name.
type (
	userDisableCmd struct{ oneUser }
	userEnableCmd  struct{ oneUser }
	userLinkCmd    struct{ oneUser }
	userUnlinkCmd  struct{ oneUser }
	userDeleteCmd  struct{ oneUser }
)

// Run disables a user.
func (cmd *userDisableCmd) Run(c console) error { return cmd.set(c, "is_disabled", true) }

// Run enables a user.
func (cmd *userEnableCmd) Run(c console) error { return cmd.set(c, "is_disabled", false) }

// Run links a user to the identity provider.
func (cmd *userLinkCmd) Run(c console) error { return cmd.set(c, "single_sign_on", true) }

// Run parts a user from the identity provider.
func (cmd *userUnlinkCmd) Run(c console) error { return cmd.set(c, "single_sign_on", false) }

// Run removes a user.
func (cmd *userDeleteCmd) Run(c console) error {
	if err := cmd.call(http.MethodDelete, usersPath(cmd.Name), nil, nil, nil); err != nil {
		return err
	}
	return c.removed("user", cmd.Name)
}
