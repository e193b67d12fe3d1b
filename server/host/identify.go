package host

import (
	"cmp"
	"errors"
	"net"
	"net/http"
	"net/netip"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/storage/fair"
)

// tokenCookie is a cookie that identifies the user, as the Authorization header does.
const tokenCookie = "token"

// Identify finds out who is asking and keeps it with the request. On a server without tokens, everyone is let in:
// known reports whether the request carries any credentials. There, a user whose session has ended may still read: only
// writes record a name.
func (h *Host) Identify(c *fiber.Ctx) (caller access.Caller, known bool) {
	// The cookie is for browsers and the Shoji clients; where both come, the header counts.
	caller, known = h.options.Gate.Identify(addressOf(c), c.Get("Authorization"), c.Cookies(tokenCookie))
	if !caller.IsKnown() && h.options.Gate.IsOpen() && (c.Method() == http.MethodGet || c.Method() == http.MethodHead) {
		caller, known = h.options.Gate.Anyone(caller.Address), true
	}
	c.Locals(callerKey, caller)
	c.SetUserContext(fair.With(c.UserContext(), access.NameOf(caller.User)))
	return caller, known
}

// Unknown is the answer to a request that needs someone who is known: how to become that, or why what was shown is not
// accepted.
func Unknown(c *fiber.Ctx, how string) error {
	why := Caller(c).Refused
	switch {
	case why == nil:
		return fiber.NewError(http.StatusUnauthorized, how)
	case why.Unavailable:
		return &Refusal{http.StatusServiceUnavailable, cmp.Or(why.Code, "provider_unavailable"), why.Why, 0}
	}
	return fiber.NewError(http.StatusUnauthorized, why.Why)
}

// Caller returns who sends a request, as Identify found; before that, someone unknown.
func Caller(c *fiber.Ctx) access.Caller {
	caller, _ := c.Locals(callerKey).(access.Caller)
	return caller
}

// User returns the name of the user who sends a request; empty: unknown.
func User(c *fiber.Ctx) string { return Caller(c).User }

// IsOpen reports whether everyone is let in, since the server has never had a token.
func (h *Host) IsOpen() bool { return h.options.Gate.IsOpen() }

// MayLogin refuses a client that has failed to log in too often, before the request's body is read. The wait is by
// address here, as the name is in the body.
func (h *Host) MayLogin(c *fiber.Ctx) error {
	if wait := h.options.Gate.Wait(addressOf(c)); wait > 0 {
		return tooMany(&access.TooManyError{Wait: wait})
	}
	return nil
}

// Login starts a session, and returns the value of its cookie.
func (h *Host) Login(c *fiber.Ctx, email, password string) (session string, err error) {
	session, err = h.options.Gate.Login(addressOf(c), email, password)
	var often *access.TooManyError
	switch {
	case errors.As(err, &often):
		return "", tooMany(often)
	case errors.Is(err, access.ErrWrong):
		return "", fiber.NewError(http.StatusUnauthorized,
			"The e-mail or the password is wrong. If the server has tokens, the password is the token.")
	}
	if err != nil {
		return "", Refused(err)
	}
	caller, _ := h.options.Gate.Identify(addressOf(c), "", session)
	c.Locals(callerKey, caller) // for the audit log
	return session, nil
}

// Vouch refuses a token that a client shows as its secret, unless the server is one without tokens, and keeps the caller
// whose it is with the request.
func (h *Host) Vouch(c *fiber.Ctx, client, token string) error {
	caller, err := h.options.Gate.Vouch(addressOf(c), client, token)
	var often *access.TooManyError
	switch {
	case errors.As(err, &often):
		return tooMany(often)
	case errors.Is(err, access.ErrWrong):
		return fiber.NewError(http.StatusUnauthorized, "The client_secret is not a valid API token.")
	case err != nil:
		return Refused(err)
	}
	c.Locals(callerKey, caller) // for the audit log
	return nil
}

// Logout ends the session of the request's cookie. A token stays valid: only sessions end.
func (h *Host) Logout(c *fiber.Ctx) { h.options.Gate.Logout(c.Cookies(tokenCookie)) }

// addressOf returns the address that a request comes from.
func addressOf(c *fiber.Ctx) netip.Addr {
	tcp, ok := c.Context().RemoteAddr().(*net.TCPAddr)
	// Connections that are not TCP, as in tests, share one address.
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr()
}
