package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"

	"github.com/gofiber/fiber/v2"

	"rowback/server/access"
)

// What another face of the same server takes from this one: who asks, bodies as they arrive, errors as they are told,
// and work in the background.

// tokenCookie is a cookie that says who asks, beside the Authorization header.
const tokenCookie = "token"

// Identify finds out who asks, and remembers it with the request. Where the server has no tokens, everyone is someone:
// known reports whether the request said so in any way. There, whoever's session has ended may still read: only what is
// written bears a name.
func (a *API) Identify(c *fiber.Ctx) (user string, known bool) {
	user, known = a.options.Gate.Identify(c.Get("Authorization"), c.Cookies(tokenCookie))
	if user == "" && a.options.Gate.IsOpen() && (c.Method() == http.MethodGet || c.Method() == http.MethodHead) {
		user, known = access.Anonymous, true
	}
	if user != "" {
		c.Locals(userKey, user)
	}
	return user, known
}

// MayLogin refuses whoever has failed to log in too often, before the request's body is read.
func (a *API) MayLogin(c *fiber.Ctx) error {
	if wait := a.options.Gate.Wait(addressOf(c)); wait > 0 {
		return tooMany(&access.TooManyError{Wait: wait})
	}
	return nil
}

// Login starts a session, and returns the value of the cookie that says so from now on.
func (a *API) Login(c *fiber.Ctx, email, password string) (session string, err error) {
	session, err = a.options.Gate.Login(addressOf(c), email, password)
	var often *access.TooManyError
	switch {
	case errors.As(err, &often):
		return "", tooMany(often)
	case err != nil:
		return "", fiber.NewError(http.StatusUnauthorized, "Nobody logs in with this e-mail and password. Where the server has tokens, the password is the token.")
	}
	return session, nil
}

// Logout ends the session of the request's cookie.
func (a *API) Logout(c *fiber.Ctx) { a.options.Gate.Logout(c.Cookies(tokenCookie)) }

// addressOf is where a request comes from.
func addressOf(c *fiber.Ctx) netip.Addr {
	tcp, ok := c.Context().RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr()
}

// Body is a request's body as it arrives. One that was cut ends in an error.
func (a *API) Body(c *fiber.Ctx) io.Reader { return bodyOf(c) }

// ReadBody is a request's body of up to most bytes, whole. A second reading gets the same.
func (a *API) ReadBody(c *fiber.Ctx, most int64) ([]byte, error) { return readBody(c, most) }

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
		return fiber.NewError(http.StatusUnauthorized, "Authentication required: send the header Authorization: Bearer <token>, or log in again where a login has ended.")
	}
	return c.Next()
}
