package api

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"unicode"

	"github.com/gofiber/fiber/v2"
)

// What another face of the same server takes from this one: who asks, bodies as they arrive, errors as they are told,
// and work in the background.

// tokenCookie is a cookie that says who asks, beside the Authorization header: an API token, or, where the server has
// none, loginPrefix and the name that someone logged in with.
const (
	tokenCookie = "token"
	loginPrefix = "login."
)

// Identify finds out who asks, and remembers it with the request. Where the server has no tokens, everyone is someone:
// known tells whether the request said so in any way.
func (a *API) Identify(c *fiber.Ctx) (user string, known bool) {
	cookie, header := c.Cookies(tokenCookie), c.Get("Authorization")
	if len(a.options.Tokens) == 0 {
		user, known = "anonymous", cookie != "" || header != ""
		if name, ok := loginName(cookie); ok {
			user = name
		}
	} else {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			token = cookie
		}
		user, known = a.options.Tokens[strings.TrimSpace(token)]
	}
	if user != "" {
		c.Locals(userKey, user)
	}
	return user, known
}

// loginName is the name in a cookie that Login gave where the server has no tokens.
func loginName(cookie string) (name string, ok bool) {
	text, ok := strings.CutPrefix(cookie, loginPrefix)
	if !ok {
		return "", false
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	return string(b), err == nil && goodName(string(b))
}

func goodName(name string) bool {
	return name != "" && len(name) <= 255 && !strings.ContainsFunc(name, unicode.IsControl)
}

// Login returns the value of the cookie that says who asks: where the server has tokens, the password must be one.
func (a *API) Login(email, password string) (token string, ok bool) {
	if len(a.options.Tokens) == 0 {
		return loginPrefix + base64.RawURLEncoding.EncodeToString([]byte(email)), goodName(email)
	}
	_, ok = a.options.Tokens[password]
	return password, ok
}

// Body is a request's body as it arrives. One that was cut ends in an error.
func (a *API) Body(c *fiber.Ctx) io.Reader { return bodyOf(c) }

// Context is what a request's work runs under: it ends with the time limit, or with the server. Fiber does not tell when
// a client has gone.
func (a *API) Context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(a.base, a.options.QueryTimeout)
}

// Background does work that no request waits for to its end. A bug in it ends as the error of that work.
func (a *API) Background(work func(ctx context.Context) error, ended func(error)) {
	a.background(func() error { return work(a.base) }, ended)
}

// authenticate finds out who asks. Where the server has tokens, everything needs one that is not open.
func (a *API) authenticate(c *fiber.Ctx) error {
	if user, _ := a.Identify(c); user == "" && !isOpen(c.Path()) {
		return fiber.NewError(http.StatusUnauthorized, "This server wants a token: send the header Authorization: Bearer <token>.")
	}
	return c.Next()
}
