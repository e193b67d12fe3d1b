// Package access decides who may use the server, as which user, and what they may do, by the same rules for every face.
//
// Who someone is and what they may do are two questions. The gate answers the first: it finds the user of a request. The
// second is answered by the roles of that user, and what a token leaves of them: both are in the Caller.
//
// A client presents a token, or the id of a session that it logged in for; either identifies the user. A server without
// tokens lets everyone in, as "anonymous" or under the name that they log in with, and therefore listens on its own
// machine only, unless it is configured otherwise. Which web pages may send requests is decided in web.go.
package access

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
	"unicode"
)

// Anonymous is the user who has no name.
const Anonymous = "anonymous"

// NameOf returns the name by which a user is distinguished from others; empty: the user has none.
func NameOf(user string) string {
	if user == Anonymous {
		return ""
	}
	return user
}

// Tokens maps tokens to users; if it is empty, everyone is let in.
type Tokens map[string]string

// ErrWrong refuses a login with a wrong name or password.
var ErrWrong = errors.New("the name or the password is wrong")

// Gate lets users in: by token, by session, or by logging in.
type Gate struct {
	tokens   Tokens
	sessions *sessions
	failures *throttle
}

// NewGate returns the gate of a server with these tokens. now may be nil: time.Now.
func NewGate(tokens Tokens, now func() time.Time) *Gate {
	if now == nil {
		now = time.Now
	}
	return &Gate{tokens: tokens, sessions: newSessions(now), failures: newThrottle(now)}
}

// IsOpen reports whether the server has no tokens, so that everyone is let in.
func (g *Gate) IsOpen() bool { return len(g.tokens) == 0 }

// Identify finds out who is asking, by the headers Authorization (Bearer) and Cookie (token); each may have a token or
// the id of a session. The caller is not known if a valid token is needed and there is none, or if the session has
// ended. On a server without tokens everyone else is let in: known reports whether the request carries any credentials.
func (g *Gate) Identify(from netip.Addr, authorization, cookie string) (c Caller, known bool) {
	user, known := g.user(authorization, cookie)
	if user == "" {
		return Caller{Address: from}, known
	}
	return Caller{User: user, Address: from, Roles: Everywhere(Admin)}, known
}

// Anyone is the caller who is let in without a token or session, on a server without tokens.
func (g *Gate) Anyone(from netip.Addr) Caller {
	return Caller{User: Anonymous, Address: from, Roles: Everywhere(Admin)}
}

// user finds out which user is asking.
func (g *Gate) user(authorization, cookie string) (user string, known bool) {
	scheme, shown, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		shown = cookie
	}
	shown = strings.TrimSpace(shown)
	if user, known = g.tokens[shown]; known {
		return user, true
	}
	if g.IsOpen() && !isSession(shown) && isSession(cookie) {
		shown = cookie
	}
	if isSession(shown) {
		return g.sessions.user(shown)
	}
	if !g.IsOpen() {
		return "", false
	}
	return Anonymous, cookie != "" || authorization != ""
}

// Login starts a session and returns its id. If the server has tokens, the password must be one of them,
// and determines the user. The error is ErrWrong, or *TooManyError if too many logins have failed from that address or
// for that name.
func (g *Gate) Login(from netip.Addr, name, password string) (session string, err error) {
	user := name
	err = g.failures.try(from, name, func() (right bool) {
		if !g.IsOpen() {
			user, right = g.tokens[password]
			return right
		}
		return goodName(name)
	})
	if err != nil {
		return "", err
	}
	return g.sessions.start(user), nil
}

// Wait returns how long an address has to wait until it may log in again; 0: not at all.
func (g *Gate) Wait(from netip.Addr) time.Duration { return g.failures.wait(from) }

// Logout ends a session. It does nothing to a token, which cannot be logged out.
func (g *Gate) Logout(cookie string) { g.sessions.end(cookie) }

// Basic finds out who is asking, by an Authorization header of the scheme Basic: the user's name, and as the password
// the user's token. isBasic is false if the header has another scheme. Errors are those of Login.
func (g *Gate) Basic(from netip.Addr, authorization string) (c Caller, password string, isBasic bool, err error) {
	scheme, text, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return Caller{Address: from}, "", false, nil
	}
	user, password, ok := basicPair(text)
	err = g.failures.try(from, user, func() bool {
		if !g.IsOpen() {
			return ok && user != "" && g.tokens[password] == user
		}
		return ok && goodName(user)
	})
	return Caller{User: user, Address: from, Roles: Everywhere(Admin)}, password, true, err
}

// Shown returns what a user who has logged in with a password may present from now on: the user's token, or the id of a
// session if the server has no tokens.
func (g *Gate) Shown(user, password string) string {
	if !g.IsOpen() {
		return password
	}
	return g.sessions.start(user)
}

// basicPair reads the credentials of a header Authorization: Basic, with or without padding.
func basicPair(text string) (name, password string, ok bool) {
	text = strings.TrimSpace(text)
	pair, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		pair, err = base64.RawStdEncoding.DecodeString(text)
	}
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(pair), ":")
}

// goodName reports whether a user's name can be recorded: it is stored and shown.
func goodName(name string) bool {
	return name != "" && len(name) <= 255 && !strings.ContainsFunc(name, unicode.IsControl)
}

// CheckAddress refuses to listen beyond this machine without tokens, unless open is set. flag is the name of the option
// that gave the address.
func (t Tokens) CheckAddress(flag, addr string, open bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s %s: write it as host:port", flag, addr)
	}
	ip := net.ParseIP(host)
	local := host == "localhost" || ip != nil && ip.IsLoopback()
	if len(t) == 0 && !local && !open {
		return fmt.Errorf("%s %s can be reached from other machines: set --token user:token, or --open to let anyone in",
			flag, addr)
	}
	return nil
}
