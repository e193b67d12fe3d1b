package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage/fault"
)

// tokenView is what is known of a token.
type tokenView struct {
	ID          string     `json:"id"`
	User        string     `json:"user"`
	Description string     `json:"description"`
	Role        string     `json:"role" description:"${token.role}"`
	Projects    *[]string  `json:"projects" description:"That it is for; null: all."`
	CreatedAt   time.Time  `json:"created_at"`
	CreatedBy   string     `json:"created_by"`
	ExpiresAt   *time.Time `json:"expires_at" description:"null: never."`
	LastUsedAt  *time.Time `json:"last_used_at" description:"${token.last_used_at}"`
}

// createdToken is a token as it is shown once.
type createdToken struct {
	tokenView
	Token string `json:"token" description:"${token.token}"`
}

// viewToken returns what is known of a token.
func viewToken(t accounts.Token, names map[int64]string) tokenView {
	v := tokenView{
		ID: t.ID, User: t.User, Description: t.Description, Role: t.Role.String(), CreatedAt: t.CreatedAt,
		CreatedBy: t.CreatedBy, ExpiresAt: momentOrNull(t.ExpiresAt), LastUsedAt: momentOrNull(t.UsedAt),
	}
	if t.Projects != nil {
		projects := views(t.Projects, func(id int64) string { return nameOf(names, id) })
		v.Projects = &projects
	}
	return v
}

// momentOrNull returns a time; null for the zero time.
func momentOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// listTokensIn selects a page of tokens.
type listTokensIn struct {
	pageIn
	User string `query:"user" description:"Only those of this user; others than one's own are for admins." json:"-"`
}

// tokenList is a page of tokens.
type tokenList struct {
	Tokens     []tokenView `json:"tokens"`
	NextCursor *string     `json:"next_cursor"`
}

// listedUser returns whose tokens or sessions a caller may list: their own, and if they are an admin, those of the user
// they ask for; empty: all.
func listedUser(caller access.Caller, asked string) (string, error) {
	switch {
	case caller.IsAdmin():
		return asked, nil
	case asked != "" && asked != caller.User:
		return "", permit.CheckAdmin(caller)
	}
	return caller.User, nil
}

// listTokens lists tokens: one's own, or, for admins, all.
func (a *API) listTokens(c *fiber.Ctx, known *accounts.Accounts, in listTokensIn) error {
	ctx, caller := c.UserContext(), host.Caller(c)
	user, err := listedUser(caller, in.User)
	if err != nil {
		return err
	}
	page, next, err := pageOf(in.pageIn, func(after string, limit int) ([]accounts.Token, error) {
		return known.Tokens(ctx, user, after, limit)
	}, func(t accounts.Token) string { return t.ID })
	if err != nil {
		return err
	}
	names, err := a.projectNames(ctx)
	if err != nil {
		return err
	}
	return ok(c, tokenList{views(page, func(t accounts.Token) tokenView { return viewToken(seenOf(t, caller), names) }), next})
}

// seenOf leaves out the projects of a token that the caller is not to know of: the caller's own token may be for fewer.
func seenOf(t accounts.Token, caller access.Caller) accounts.Token {
	t.Projects = slices.DeleteFunc(t.Projects, func(id int64) bool { return caller.Role(id) == access.None })
	return t
}

// createTokenIn is the request to make a token. It takes no Idempotency-Key: the answer has the token, and would be
// kept with it.
type createTokenIn struct {
	User        string     `json:"user" description:"Whose it is; by default the caller's. Others' are for admins."`
	Description string     `json:"description"`
	Role        string     `json:"role" enum:"reader,writer,maintainer,admin" description:"${token.role}"`
	Projects    []string   `json:"projects" description:"${token.projects}"`
	ExpiresAt   *time.Time `json:"expires_at" description:"When it ends; by default never."`
}

// createToken makes a token, and shows it: the only time.
func (a *API) createToken(c *fiber.Ctx, known *accounts.Accounts, in createTokenIn) error {
	ctx, caller := c.UserContext(), host.Caller(c)
	t, err := a.wantedToken(ctx, in, caller)
	if err != nil {
		return err
	}
	made, secret, err := known.CreateToken(ctx, t)
	if err != nil {
		return err
	}
	audit.Of(ctx).About("token %s of user %s: %s", made.ID, made.User, made.Role)
	names, err := a.projectNames(ctx)
	if err != nil {
		return err
	}
	told, err := say(http.StatusCreated, "/api/v1/tokens/"+made.ID, createdToken{viewToken(made, names), secret})
	if err != nil {
		return err
	}
	return send(c, told)
}

// wantedToken reads what token is to be made. Only admins make others', and no one makes a token that may do more than
// the one that asks for it, or for longer.
func (a *API) wantedToken(ctx context.Context, in createTokenIn, caller access.Caller) (t accounts.Token, err error) {
	t = accounts.Token{User: in.User, Description: in.Description, Role: access.Admin, CreatedBy: caller.User}
	if t.User == "" {
		t.User = caller.User
	}
	if in.ExpiresAt != nil {
		t.ExpiresAt = *in.ExpiresAt
	}
	if in.Role != "" {
		if t.Role, err = access.ParseRole(in.Role); err != nil {
			return t, invalid("role", err.Error())
		}
	}
	for _, named := range in.Projects {
		id, err := a.options.Accounts.ProjectID(ctx, named)
		switch {
		case err == nil && id == 0:
			err = invalid("projects", "leave it out for all projects")
		case err == nil && caller.Role(id) == access.None: // in the words for one that there is not
			err = accounts.ErrNoProject.Sayf("Project '%s' not found", fault.Clip(named))
		}
		if err != nil {
			return t, err
		}
		t.Projects = append(t.Projects, id)
	}
	if in.Projects != nil && t.Projects == nil {
		t.Projects = []int64{}
	}
	if caller.IsAdmin() {
		return t, nil
	}
	if t.User != caller.User {
		return t, permit.CheckAdmin(caller)
	}
	return a.boundToken(ctx, t, caller, in.Role != "")
}

// boundToken bounds a token by what its maker may do: the bounds of the token that asks for it are its own.
func (a *API) boundToken(
	ctx context.Context, t accounts.Token, caller access.Caller, asked bool,
) (accounts.Token, error) {
	own, err := a.options.Accounts.Token(ctx, caller.Token)
	if err != nil {
		return t, fault.Errorf(fault.Forbidden, "token_needed",
			"Only users with a token that the server made can make others. Have an admin make one.")
	}
	most := access.None
	for _, role := range caller.Roles {
		most = max(most, role)
	}
	if asked && t.Role > most {
		return t, invalid("role", "must not be above yours, which is "+most.String())
	}
	t.Role = min(t.Role, own.Role)
	if t.Projects == nil {
		t.Projects = own.Projects
	}
	for _, id := range t.Projects {
		if err := permit.Check(caller, id, access.Reader); err != nil {
			return t, err
		}
		if own.Projects != nil && !slices.Contains(own.Projects, id) {
			return t, invalid("projects", "must be among those of the token that asks for it")
		}
	}
	if !own.ExpiresAt.IsZero() && (t.ExpiresAt.IsZero() || t.ExpiresAt.After(own.ExpiresAt)) {
		t.ExpiresAt = own.ExpiresAt
	}
	return t, nil
}

// tokenIn identifies a token, by its id.
type tokenIn struct {
	Token string `path:"token" required:"true" description:"Its id, not the token itself." json:"-"`
}

// deleteToken revokes a token: one's own, or, for admins, any.
func (a *API) deleteToken(c *fiber.Ctx, known *accounts.Accounts, in tokenIn) error {
	caller := host.Caller(c)
	of := caller.User
	if caller.IsAdmin() {
		of = ""
	} else if err := mayRevoke(c.UserContext(), known, in.Token, caller); err != nil {
		return err
	}
	if err := known.RevokeToken(c.UserContext(), in.Token, of); err != nil {
		return err
	}
	audit.Of(c.UserContext()).About("token %s", in.Token) // there was one: it is an id, and not a secret
	return c.SendStatus(http.StatusNoContent)
}

// mayRevoke refuses to revoke a token of the caller's that may do more than the one that the caller shows: whoever has
// got hold of a token for little must not be able to lock its user out.
func mayRevoke(ctx context.Context, known *accounts.Accounts, id string, caller access.Caller) error {
	own, err := known.Token(ctx, caller.Token)
	if fault.KindOf(err) == fault.NotFound { // one of an option or a file, whose user has no other bounds
		return nil
	}
	t, errOther := known.Token(ctx, id)
	if err := errors.Join(err, errOther); err != nil {
		return err
	}
	beyond := func(project int64) bool { return !slices.Contains(own.Projects, project) }
	isMore := t.Role > own.Role || own.Projects != nil && (t.Projects == nil || slices.ContainsFunc(t.Projects, beyond))
	if t.User != caller.User || !isMore { // another user's is not found
		return nil
	}
	return fault.Errorf(fault.Forbidden, "token_outranked",
		"Token '%s' may do more than the one you use. Revoke it with one that may do as much, or ask an admin.", t.ID)
}
