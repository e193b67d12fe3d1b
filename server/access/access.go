// Package access decides who may use the server, as which user, and what they may do, by the same rules for every face.
//
// Who someone is and what they may do are two questions. The gate answers the first: it finds the user of a request.
// The second is answered by the roles of that user, and what a token leaves of them: both are in the Caller.
//
// A client presents a token, or the id of a session that it logged in for; either identifies the user. A server without
// tokens lets everyone in, as "anonymous" or under the name that they log in with, and therefore listens on its own
// machine only, unless it is configured otherwise. Which web pages may send requests is decided in web.go.
package access

import (
	"encoding/base64"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rowback/rowback/server/conns"
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

// ErrWrong refuses a login with a wrong name or password.
var ErrWrong = errors.New("the name or the password is wrong")

// Directory knows users and the tokens that they have been given. What it returns is as of now: a token that was
// revoked, has expired, or whose user was removed or disabled, is ErrUnknown.
type Directory interface {
	IsClosed() (bool, error) // a token has been given: from then on, no one is let in without one
	ByHash(hash Hash) (Held, error)
	ByID(id string) (Held, error)
	IsDisabled(user string) (bool, error)
	Used(id string)
}

// Held is what a valid token stands for.
type Held struct {
	ID, User string
	Roles    Roles // what the token leaves of the user's
}

// ErrUnknown is returned for a token that is not valid.
var ErrUnknown = errors.New("unknown token")

// Options configure a gate. The zero value lets everyone in.
type Options struct {
	Fixed     Fixed     // tokens from options and files
	Needed    bool      // a token is needed, even if there is none
	Directory Directory // nil: there are no other users
	Provider  Provider  // nil without single sign-on
	Members   Members   // whom it vouches for; needed with Provider
	Sessions  Sessions  // nil: they end with the program
	Failures  Failures  // nil: logins that fail are counted here alone
	Lives     Lives     // of sessions
	Now       func() time.Time
	Log       *slog.Logger
}

// Gate finds out who sends a request: by token, by session, or by logging in.
type Gate struct {
	options  Options
	fixed    atomic.Pointer[Fixed]
	failures *throttle
}

// New returns a gate.
func New(o Options) *Gate {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Sessions == nil {
		o.Sessions = inMemory(o.Now)
	}
	o.Lives = o.Lives.filled()
	o.Needed = o.Needed || len(o.Fixed) > 0 || o.Provider != nil
	g := &Gate{options: o, failures: newThrottle(o.Now, o.Failures, o.Log)}
	g.fixed.Store(&o.Fixed)
	return g
}

// NewGate returns the gate of a server with these tokens, and no other users. now may be nil: time.Now.
func NewGate(tokens Tokens, now func() time.Time) *Gate {
	return New(Options{Fixed: tokens.Fixed(), Now: now})
}

// Replace replaces the tokens from options and files. Sessions that stand for others end.
func (g *Gate) Replace(f Fixed) { g.fixed.Store(&f) }

// FixedRole returns the role that the operator's tokens give a user in all projects; None: the user has no such token.
func (g *Gate) FixedRole(user string) Role { return g.fixed.Load().Role(user) }

// IsOpen reports whether everyone is let in, since there has never been a token. No one is while that can't be read.
func (g *Gate) IsOpen() bool {
	open, err := g.isOpen()
	return open && err == nil
}

// open is IsOpen for those who log in: while that can't be read, unread is who they are. It is asked once, as the users
// may be away in one moment and there in the next.
func (g *Gate) open() (isOpen bool, unread Caller) {
	isOpen, err := g.isOpen()
	if g.failed(err) {
		return false, nobody(err)
	}
	return isOpen, Caller{}
}

func (g *Gate) isOpen() (bool, error) {
	if g.options.Needed || g.options.Directory == nil {
		return !g.options.Needed, nil
	}
	closed, err := g.options.Directory.IsClosed()
	return !closed, err
}

// Identify finds out who is asking, by the headers Authorization (Bearer) and Cookie (token); each may have a token or
// the id of a session. The caller is not known if a valid token is needed and there is none, or if the session has
// ended. On a server without tokens everyone else is let in: known reports whether the request carries any credentials.
func (g *Gate) Identify(from netip.Addr, authorization, cookie string) (c Caller, known bool) {
	scheme, shown, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		shown = cookie
	}
	shown = strings.TrimSpace(shown)
	isOpen, err := g.isOpen() // once: it may be away in one moment, and there in the next
	if g.failed(err) {
		c = nobody(err)
		c.Address = from
		return c, false
	}
	if isOpen && !isSession(shown) && isSession(cookie) {
		shown = cookie
	}
	if isSession(shown) || !isOpen {
		c, _ = g.identify(shown, from)
		return c, c.IsKnown()
	}
	return g.Anyone(from), cookie != "" || authorization != ""
}

// Anyone is the caller who is let in without a token or session, on a server without tokens.
func (g *Gate) Anyone(from netip.Addr) Caller {
	return Caller{User: Anonymous, Address: from, Roles: Everywhere(Admin)}
}

// Login starts a session and returns its id. If the server has tokens, the password must be one of them,
// and determines the user. The error is ErrWrong, or *TooManyError if too many logins have failed from that address or
// for that name, or *RefusedError if it can't be found out at the moment who that is, which is not a failed login.
func (g *Gate) Login(from netip.Addr, name, password string) (session string, err error) {
	shown := credential{name: name}
	var c Caller
	err = g.failures.try(from, name, func() (right bool) {
		isOpen, unread := g.open()
		if unread.isUncertain() {
			c = unread
			return true
		}
		if isOpen {
			return goodName(name)
		}
		c, shown = g.identify(password, from)
		shown.name = c.User
		return c.isUncertain() || c.IsKnown() && shown.session == Hash{} // a session is not prolonged by itself
	})
	if err == nil && c.isUncertain() {
		err = c.Refused
	}
	if err != nil {
		return "", err
	}
	return g.startSession(shown, addressText(from))
}

// Vouch returns the caller whose token a client shows as its secret. Errors are those of Login; on a server without
// tokens, any secret will do.
func (g *Gate) Vouch(from netip.Addr, client, token string) (c Caller, err error) {
	err = g.failures.try(from, client, func() bool {
		isOpen, unread := g.open()
		if unread.isUncertain() {
			c = unread
			return true
		}
		if isOpen {
			c = g.Anyone(from)
			return true
		}
		var shown credential
		c, shown = g.identify(token, from)
		return c.isUncertain() || c.IsKnown() && shown.session == Hash{} // a session is not prolonged by itself
	})
	if err == nil && c.isUncertain() {
		err = c.Refused
	}
	return c, err
}

// Wait returns how long an address has to wait until it may log in again; 0: not at all.
func (g *Gate) Wait(from netip.Addr) time.Duration { return g.failures.wait(from) }

// Basic finds out who is asking, by an Authorization header of the scheme Basic: the user's name, and as the password
// the user's token. isBasic is false if the header has another scheme. Errors are those of Login.
func (g *Gate) Basic(from netip.Addr, authorization string) (c Caller, password string, isBasic bool, err error) {
	scheme, text, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return Caller{Address: from}, "", false, nil
	}
	user, password, ok := basicPair(text)
	err = g.failures.try(from, user, func() bool {
		isOpen, unread := g.open()
		if unread.isUncertain() {
			c = unread
			return true
		}
		if isOpen {
			c = g.Anyone(from)
			c.User = user
			return ok && goodName(user)
		}
		var shown credential
		c, shown = g.identify(password, from)
		return c.isUncertain() || ok && user != "" && shown.session == Hash{} && c.User == user
	})
	switch {
	case err != nil:
		c = Caller{Address: from}
	case c.isUncertain():
		err = c.Refused
	}
	return c, password, true, err
}

// Shown returns what a user who has logged in with a password may present from now on: the user's token, or the id of a
// session if the server has no tokens.
func (g *Gate) Shown(user, password string, from netip.Addr) (string, error) {
	if !g.IsOpen() {
		return password, nil
	}
	return g.startSession(credential{name: user}, addressText(from))
}

// addressText returns the network that a login comes from, as limits count it; empty: it is not known.
func addressText(from netip.Addr) string {
	if !from.IsValid() {
		return ""
	}
	return conns.Network(from).String()
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
	return name != "" && len(name) <= 255 && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}
