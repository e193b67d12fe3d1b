package api

import (
	"context"
	"io"
	"net/http"

	"github.com/gofiber/fiber/v2"
)

// What another face of the same server takes from this one: who asks, bodies as they arrive, errors as they are told,
// and work in the background.

// tokenCookie is a cookie that says who asks, beside the Authorization header.
const tokenCookie = "token"

// Identify finds out who asks, and remembers it with the request. Where the server has no tokens, everyone is someone:
// known tells whether the request said so in any way.
func (a *API) Identify(c *fiber.Ctx) (user string, known bool) {
	user, known = a.options.Tokens.Identify(c.Get("Authorization"), c.Cookies(tokenCookie))
	if user != "" {
		c.Locals(userKey, user)
	}
	return user, known
}

// Login returns the value of the cookie that says who asks.
func (a *API) Login(email, password string) (token string, ok bool) {
	return a.options.Tokens.Login(email, password)
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
