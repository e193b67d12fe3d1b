package api

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/signon"
	"github.com/rowback/rowback/storage/fault"
)

const loginPath = "/api/v1/login"

// loginView is how one can log in.
type loginView struct {
	IsOpen   bool          `json:"is_open" description:"${me.is_open}"`
	Provider *providerView `json:"provider" description:"null: there is none, and a token is the only way."`
}

// providerView is an identity provider that one can log in with.
type providerView struct {
	Name string `json:"name" description:"Its host."`
	URL  string `json:"url" description:"${login.url}"`
}

// getLogin says how one can log in.
func (a *API) getLogin(c *fiber.Ctx) error {
	var in struct{}
	if err := a.bind(c, &in); err != nil {
		return err
	}
	v := loginView{IsOpen: a.host.IsOpen()}
	if p := a.options.Provider; p != nil {
		v.Provider = &providerView{p.Name(), loginPath + "/provider"}
	}
	return ok(c, v)
}

// provider returns the identity provider, or the refusal of a server that has none.
func (a *API) provider() (*signon.Provider, error) {
	if a.options.Provider == nil {
		return nil, fault.Errorf(fault.NotFound, "no_provider",
			"This server has no identity provider: log in with a token. An operator adds one with --oidc-issuer.")
	}
	return a.options.Provider, nil
}

// beginLoginIn says what to show after a login.
type beginLoginIn struct {
	Then string `query:"then" description:"Path of the page to show afterwards; by default /." json:"-"`
}

// loginCookie keeps what a browser needs to complete a login that it has begun. It must come along when the provider
// sends the browser back, so it is Lax.
const loginCookie = "rowback_login"

// keepLogin sets that cookie; empty: it removes it.
func keepLogin(c *fiber.Ctx, kept string) {
	cookie := &fiber.Cookie{
		Name: loginCookie, Value: kept, Path: loginPath, HTTPOnly: true, SameSite: "Lax", Secure: host.IsEncrypted(c),
		MaxAge: int(signon.LoginLasts.Seconds()),
	}
	if kept == "" {
		cookie.MaxAge = -1
	}
	c.Cookie(cookie)
}

// beginLogin sends a browser to the identity provider.
func (a *API) beginLogin(c *fiber.Ctx) error {
	var in beginLoginIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	p, err := a.provider()
	if err != nil {
		return err
	}
	at, kept, err := p.Begin(c.UserContext(), host.Site(c)+host.LoginCallback, in.Then)
	if err != nil {
		return a.showRefusal(c, err)
	}
	keepLogin(c, kept)
	return c.Redirect(at, http.StatusSeeOther)
}

// completeLoginIn is what the identity provider sends a browser back with.
type completeLoginIn struct {
	Code  string `query:"code" json:"-"`
	State string `query:"state" json:"-"`
	Error string `query:"error" json:"-"`
}

// completeLogin starts a session of a browser that the identity provider sends back. Providers add parameters of their
// own, so beside theirs the ones that are not known here are let through.
func (a *API) completeLogin(c *fiber.Ctx) error {
	if c.Query("code") == "" && c.Query("error") == "" {
		var in completeLoginIn
		if err := a.bind(c, &in); err != nil {
			return err
		}
	}
	p, err := a.provider()
	if err != nil {
		return err
	}
	answer := signon.Answer{
		Code: c.Query("code"), State: c.Query("state"), Issuer: c.Query("iss"), Error: c.Query("error"),
	}
	kept := c.Cookies(loginCookie)
	keepLogin(c, "") // a login is completed once
	who, then, err := p.Complete(c.UserContext(), answer, kept, host.Site(c)+host.LoginCallback)
	if err == nil {
		err = a.host.Vouched(c, who)
	}
	if err != nil {
		return a.showRefusal(c, err)
	}
	// Not a redirect: to the browser it would still be a step from the provider's page, for which it sends no cookie.
	return showPage(c, http.StatusOK, then, "Logged in", "You are logged in as "+who.User+".", "Continue")
}

// showRefusal says in a page why someone can't log in. Programs, which send no Accept for pages, get the problem.
func (a *API) showRefusal(c *fiber.Ctx, err error) error {
	refused := host.Refused(err)
	if !strings.Contains(c.Get("Accept"), "text/html") {
		return refused
	}
	status, fields := a.host.Problem(refused, c.GetRespHeader("X-Request-Id"))
	return showPage(c, status, "", "Not logged in", fmt.Sprint(fields["detail"]), "Back to the login")
}

// showPage shows a page of one sentence, which goes on to another page by itself; empty: it stays.
func showPage(c *fiber.Ctx, status int, then, title, sentence, link string) error {
	refresh, to := "", "/login"
	if then != "" {
		to = (&url.URL{Path: then}).String()
		if at, err := url.Parse(then); err == nil {
			to = at.String()
		}
		refresh = fmt.Sprintf(`<meta http-equiv="refresh" content="0;url=%s">`, html.EscapeString(to))
	}
	c.Set("Content-Type", "text/html; charset=utf-8")
	return c.Status(status).SendString(fmt.Sprintf(`<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">%s<title>%s · Rowback</title></head>
<body><h1>%s</h1><p>%s</p><p><a href="%s">%s</a></p></body></html>
`, refresh, title, title, html.EscapeString(sentence), html.EscapeString(to), link))
}
