package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/terminal"
	"github.com/rowback/rowback/storage/datadir"
)

// tokenCmd makes, lists and revokes tokens.
type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make a token, which is shown once."`
	List   tokenListCmd   `cmd:"" default:"withargs" help:"List your tokens; as an admin, all (the default)."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke a token, at once."`
}

// tokenAnswer is a token as the command line shows it.
type tokenAnswer struct {
	ID          string   `json:"id"`
	User        string   `json:"user"`
	Description string   `json:"description"`
	Role        string   `json:"role"`
	Projects    []string `json:"projects"`
	CreatedAt   string   `json:"created_at"`
	ExpiresAt   *string  `json:"expires_at"`
	LastUsedAt  *string  `json:"last_used_at"`
	Token       string   `json:"token,omitempty"`
}

// bound says what the token leaves of what its user may do.
func (t tokenAnswer) bound() string {
	if t.Role == "admin" {
		return "which may do what its user may"
	}
	return "at most " + t.Role
}

// tokenCreateCmd makes a token.
type tokenCreateCmd struct {
	remote
	User        string   `help:"Whose it is; by default yours. Others' are for admins." placeholder:"NAME"`
	Description string   `short:"m" aliases:"message" placeholder:"TEXT" help:"What it is for."`
	Role        string   `help:"${token_role}"`
	Project     []string `help:"${token_project}" placeholder:"NAME"`
	Expires     duration `help:"How long it is valid, such as 90d or 12h; by default for ever." placeholder:"TIME"`
	Data        string   `help:"${token_data}" type:"path" placeholder:"DIR"`
	Catalog     string   `help:"${token_catalog}" placeholder:"URL"`
}

// Run makes a token and prints it alone, so that a script can take it.
func (cmd *tokenCreateCmd) Run(c console) error {
	if cmd.Data != "" {
		return cmd.recover(c)
	}
	body := map[string]any{"user": cmd.User, "description": cmd.Description}
	if cmd.Role != "" {
		body["role"] = cmd.Role
	}
	if len(cmd.Project) > 0 {
		body["projects"] = cmd.Project
	}
	if cmd.Expires > 0 {
		body["expires_at"] = time.Now().Add(time.Duration(cmd.Expires)).UTC().Format(time.RFC3339)
	}
	var t tokenAnswer
	if err := cmd.post("/api/v1/tokens", nil, body, &t); err != nil {
		return err
	}
	return c.answer(t, func() {
		c.println(t.Token)
		fmt.Fprintf(c.err, "%s of %s, %s; it is not shown again\n", t.ID, terminal.Escape(t.User), t.bound())
	})
}

// recover makes a token of an admin in the data directory of a server that does not run: for those who are locked out.
func (cmd *tokenCreateCmd) recover(c console) error {
	if cmd.Role != "" || len(cmd.Project) > 0 || cmd.Expires > 0 {
		return errors.New("--data makes a token of an admin, without bounds: leave out --role, --project and --expires")
	}
	ctx := context.Background()
	marker, _, err := datadir.Read(cmd.Data)
	if err != nil {
		return err
	}
	held, err := datadir.Lock(cmd.Data, false)
	if err != nil {
		return err
	}
	defer held.Release()
	set, err := place{dir: cmd.Data, catalog: cmd.Catalog}.own(ctx, marker)
	if err != nil {
		return err
	}
	defer set.Close()
	known, err := accounts.Open(ctx, set, nil, nil)
	if err != nil {
		return err
	}
	token, err := adminToken(ctx, known, cmd.User, cmd.Description)
	if err != nil {
		return err
	}
	if err := datadir.Guard(cmd.Data); err != nil {
		return err
	}
	return c.answer(map[string]string{"token": token}, func() { c.println(token) })
}

// adminToken makes a token of a user who is an admin, or becomes one; by default of admin.
func adminToken(ctx context.Context, known *accounts.Accounts, user, description string) (token string, err error) {
	if user == "" {
		user = "admin"
	}
	_, err = known.User(ctx, user)
	switch {
	case errors.Is(err, accounts.ErrNoUser):
		_, err = known.CreateUser(ctx, accounts.User{Name: user, Roles: access.Everywhere(access.Admin)})
	case err == nil:
		if _, err = known.SetRoles(ctx, user, access.Everywhere(access.Admin)); err == nil {
			enabled := false
			_, err = known.EditUser(ctx, user, accounts.UserEdit{IsDisabled: &enabled})
		}
	}
	if err != nil {
		return "", err
	}
	_, token, err = known.CreateToken(ctx, accounts.Token{
		User: user, Role: access.Admin, Description: description, CreatedBy: user,
	})
	return token, err
}

// tokenListCmd lists tokens.
type tokenListCmd struct {
	remote
	formatFlag
	User string `help:"Only those of this user." placeholder:"NAME"`
}

// Run lists tokens, of all pages.
func (cmd *tokenListCmd) Run(c console) error {
	query := url.Values{}
	if cmd.User != "" {
		query.Set("user", cmd.User)
	}
	all, err := allPages(cmd.remote, "/api/v1/tokens", query, func(page tokenPage) ([]tokenAnswer, *string) {
		return page.Tokens, page.NextCursor
	})
	if err != nil {
		return err
	}
	return cmd.print(c, all, "ID\tUSER\tROLE\tPROJECTS\tEXPIRES\tLAST USED\tDESCRIPTION", func(row func(...any)) {
		for _, t := range all {
			role := t.Role
			if role == "admin" { // it does not make its user one
				role = "its user's"
			}
			row(terminal.ID(t.ID), t.User, role, projectsOf(t.Projects), terminal.Moment(orNever(t.ExpiresAt)),
				terminal.Moment(orNever(t.LastUsedAt)), t.Description)
		}
	})
}

// tokenPage is a page of tokens.
type tokenPage struct {
	Tokens     []tokenAnswer `json:"tokens"`
	NextCursor *string       `json:"next_cursor"`
}

// allPages reads a list to its end.
func allPages[Page, T any](
	r remote, path string, query url.Values, entries func(Page) (list []T, next *string),
) (all []T, err error) {
	for {
		var page Page
		if err := r.get(path, query, &page); err != nil {
			return nil, err
		}
		list, next := entries(page)
		all = append(all, list...)
		if next == nil {
			return all, nil
		}
		query.Set("cursor", *next)
	}
}

// projectsOf shows projects; none: all.
func projectsOf(names []string) string {
	if names == nil {
		return "*"
	}
	return strings.Join(names, ", ")
}

// orNever shows a time, if there is one.
func orNever(t *string) string {
	if t == nil {
		return "never"
	}
	return *t
}

// tokenRevokeCmd revokes a token.
type tokenRevokeCmd struct {
	remote
	ID string `arg:"" help:"Its id, as token list shows it."`
}

// Run revokes a token.
func (cmd *tokenRevokeCmd) Run(c console) error {
	if err := cmd.call(http.MethodDelete, "/api/v1/tokens/"+url.PathEscape(cmd.ID), nil, nil, nil); err != nil {
		return err
	}
	return c.answer(map[string]string{"revoked": cmd.ID}, func() { c.printf("token %s is revoked\n", cmd.ID) })
}
