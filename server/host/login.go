package host

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
)

// LoginCallback is where an identity provider sends browsers back to. That is a request from another site's page, which
// is refused everywhere else: here, it completes a login that this browser has begun.
const LoginCallback = "/api/v1/login/callback"

// SessionCookie returns the cookie of a session. No page can read it, and browsers do not send it for other sites'
// pages.
func SessionCookie(c *fiber.Ctx, session string) *fiber.Cookie {
	return &fiber.Cookie{
		Name: tokenCookie, Value: session, Path: "/", HTTPOnly: true, SameSite: "Strict", Secure: IsEncrypted(c),
	}
}

// IsEncrypted reports whether the client uses TLS, to the server or to a proxy that says so. Cookies are then Secure.
func IsEncrypted(c *fiber.Ctx) bool {
	return c.Context().IsTLS() || strings.EqualFold(c.Get("X-Forwarded-Proto"), "https")
}

// Site returns the scheme and host under which the client knows the server.
func Site(c *fiber.Ctx) string {
	scheme := "http://"
	if IsEncrypted(c) {
		scheme = "https://"
	}
	return scheme + string(c.Request().Host())
}

// Vouched starts a session of someone whom the identity provider has vouched for, and sets its cookie.
func (h *Host) Vouched(c *fiber.Ctx, of access.Identity) error {
	session, caller, err := h.options.Gate.Vouched(of, addressText(c))
	if err != nil {
		return Refused(err)
	}
	c.Locals(callerKey, caller) // for the audit log
	c.Cookie(SessionCookie(c, session))
	return nil
}

// Refused returns the answer to what an identity provider does not vouch for; other errors as they are.
func Refused(err error) error {
	var why *access.RefusedError
	switch {
	case !errors.As(err, &why):
		return err
	case why.Unavailable:
		return &Refusal{http.StatusServiceUnavailable, cmp.Or(why.Code, "provider_unavailable"), why.Why, 0}
	}
	return fiber.NewError(http.StatusUnauthorized, why.Why)
}
