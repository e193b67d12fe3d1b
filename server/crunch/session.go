package crunch

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// root is what the clients start from.
func (f *Face) root(c *fiber.Ctx) error {
	api := site(c) + "/api/"
	me := userURL(c, f.user(c))
	return show(c, document{
		Element: catalogElement, Self: api, Description: "The API root.",
		Catalogs: links{"datasets": api + "datasets/", "datasets_by_name": api + "datasets_by_name/{name}/", "sources": api + "sources/"},
		Views:    links{"progress": api + "progress/", "feature_flag": api + "feature_flag/", "user": me},
		URLs:     links{"user_url": me, "logout_url": api + "logout/", "login_url": api + "login/"},
	})
}

// tokenCookie is the cookie that the clients log in with.
const tokenCookie = "token"

// maxLogin is how large the body of a login may be, bytes: anyone may send one.
const maxLogin = 4 << 10

// sessionCookie is the cookie of a session. No page can read it, and no other site's page has it sent.
func sessionCookie(c *fiber.Ctx, session string) *fiber.Cookie {
	return &fiber.Cookie{Name: tokenCookie, Value: session, Path: "/", HTTPOnly: true, SameSite: "Strict", Secure: isEncrypted(c)}
}

// login gives the cookie that says who asks from now on.
func (f *Face) login(c *fiber.Ctx) error {
	var in struct {
		Email    string `json:"email"`
		Password string `json:"password"`
		APIKey   string `json:"api_key"`
	}
	if err := f.host.MayLogin(c); err != nil {
		return err
	}
	if err := f.readUpTo(c, maxLogin, &in); err != nil {
		return err
	}
	if in.Password == "" {
		in.Password = in.APIKey
	}
	session, err := f.host.Login(c, in.Email, in.Password)
	if err != nil {
		return err
	}
	c.Cookie(sessionCookie(c, session))
	return c.SendStatus(http.StatusNoContent)
}

// logout ends the session, and has the client forget its cookie.
func (f *Face) logout(c *fiber.Ctx) error {
	f.host.Logout(c)
	gone := sessionCookie(c, "")
	gone.MaxAge = -1
	c.Cookie(gone)
	return c.SendStatus(http.StatusNoContent)
}

// user is who asks.
func (f *Face) user(c *fiber.Ctx) string {
	name, _ := f.host.Identify(c)
	return name
}

func userURL(c *fiber.Ctx, name string) string {
	return site(c) + "/api/users/" + url.PathEscape(name) + "/"
}

// getUser shows a user: all that is known of one is the name, which may be an e-mail.
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

// featureFlag tells that a feature which the clients ask for is not there: none of theirs is.
func (f *Face) featureFlag(c *fiber.Ctx) error {
	return showView(c, map[string]any{"name": c.Query("feature_name"), "active": false})
}

// progressTemplate tells where the progress of work is.
func (f *Face) progressTemplate(c *fiber.Ctx) error {
	return showView(c, site(c)+"/api/progress/{id}/")
}

// idIn finds the id in a URL that a client sends back, absolute or relative, or in the bare id. folder is what it must
// be in, such as datasets.
func idIn(field, text, folder string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || text == "" {
		return "", invalid(field, fmt.Sprintf("must be the URL of one of %s", folder))
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if n := len(parts); n == 1 || parts[n-2] == folder {
		return parts[n-1], nil
	}
	return "", invalid(field, fmt.Sprintf("must be the URL of one of %s, not %q", folder, text))
}
