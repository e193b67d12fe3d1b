package crunch

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
)

// root is where clients start. It lists no more than the clients look up there.
func (f *Face) root(c *fiber.Ctx) error {
	api := site(c) + "/api/"
	me := userURL(c, f.user(c))
	return show(c, document{
		Element: catalogElement, Self: api, Description: "The API root.",
		Catalogs: links{
			"datasets": api + "datasets/", "datasets_by_name": api + "datasets_by_name/{name}/", "sources": api + "sources/",
		},
		Views: links{"progress": api + "progress/", "feature_flag": api + "feature_flag/", "user": me},
		URLs:  links{"user_url": me, "logout_url": api + "logout/", "login_url": api + "login/"},
	})
}

// maxLogin is the largest body of a login, in bytes: anyone may send one.
const maxLogin = 4 << 10

// login sets the cookie that identifies the user from now on.
func (f *Face) login(c *fiber.Ctx) error {
	var in struct {
		Email    string `json:"email"`
		Password string `json:"password"`
		APIKey   string `json:"api_key"`
	}
	// Before the body: a client that is held back must not make the server read.
	if err := f.host.MayLogin(c); err != nil {
		return err
	}
	if err := f.readUpTo(c, maxLogin, &in); err != nil {
		return err
	}
	// An API key is a token like any other here.
	if in.Password == "" {
		in.Password = in.APIKey
	}
	session, err := f.host.Login(c, in.Email, in.Password)
	if err != nil {
		return err
	}
	c.Cookie(host.SessionCookie(c, session))
	return c.SendStatus(http.StatusNoContent)
}

// logout ends the session, and removes the cookie.
func (f *Face) logout(c *fiber.Ctx) error {
	f.host.Logout(c)
	gone := host.SessionCookie(c, "")
	gone.MaxAge = -1
	c.Cookie(gone)
	return c.SendStatus(http.StatusNoContent)
}

// user returns the user of the request.
func (f *Face) user(c *fiber.Ctx) string {
	return host.User(c)
}

// userURL returns the absolute URL of a user. Names may be e-mail addresses, so they are escaped.
func userURL(c *fiber.Ctx, name string) string {
	return site(c) + "/api/users/" + url.PathEscape(name) + "/"
}

// getUser shows a user, of whom only the name is known, which may be an e-mail address. Any name is answered: whether
// it exists is not told to others.
func (f *Face) getUser(c *fiber.Ctx) error {
	name, err := param(c, "user")
	if err != nil {
		return err
	}
	return show(c, document{
		Element: entityElement, Self: userURL(c, name),
		Body:     map[string]any{"id": name, "name": name, "email": name},
		Catalogs: links{"sources": site(c) + "/api/sources/"},
	})
}

// featureFlag answers that a feature is off: the server has none of the features that clients ask for.
func (f *Face) featureFlag(c *fiber.Ctx) error {
	return showView(c, map[string]any{"name": c.Query("feature_name"), "active": false})
}

// progressTemplate has the URL template of progress resources.
func (f *Face) progressTemplate(c *fiber.Ctx) error {
	return showView(c, site(c)+"/api/progress/{id}/")
}

// idIn finds the id in a URL that a client sends back, absolute or relative, or in a bare id. folder is the part that
// it must be under, such as datasets.
func idIn(field, text, folder string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || text == "" {
		return "", invalid(field, fmt.Sprintf("must be a URL under %s", folder))
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if n := len(parts); n == 1 || parts[n-2] == folder {
		return parts[n-1], nil
	}
	return "", invalid(field, fmt.Sprintf("must be a URL under %s, not %q", folder, text))
}
