package access

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
)

// Hash is the SHA-256 of a token. Tokens are looked up by it, and only it is kept: how long a look-up takes says nothing
// of a token.
type Hash [sha256.Size]byte

// HashOf returns the hash of a token.
func HashOf(token string) Hash { return sha256.Sum256([]byte(token)) }

// credential is what a client has shown, by which the caller is found anew at each request.
type credential struct {
	name    string   // of the user; only a server without tokens relies on it
	fixed   Hash     // of a token from an option or a file; zero: another kind
	token   string   // the id of a token from the directory; empty: another kind
	session *session // that stands for it; nil: none
}

// credential finds out what a client has shown: a token, or the id of a session. It is empty if that is neither.
func (g *Gate) credential(shown string) credential {
	if isSession(shown) {
		return g.sessions.credential(shown)
	}
	hash := HashOf(shown)
	if _, ok := (*g.fixed.Load())[hash]; ok {
		return credential{fixed: hash}
	}
	if g.options.Directory == nil || !IsToken(shown) {
		return credential{}
	}
	held, err := g.options.Directory.ByHash(hash)
	if g.failed(err) {
		return credential{}
	}
	return credential{token: held.ID}
}

// caller returns who stands behind a credential, as of now.
func (g *Gate) caller(shown credential, from netip.Addr) (c Caller, known bool) {
	c = g.holder(shown)
	c.Address = from
	c.again = func() Caller { now, _ := g.caller(shown, from); return now }
	if s := shown.session; s != nil {
		if !g.sessions.isOpen(s) {
			c.User, c.Roles = "", nil
		}
		c.Session = hex.EncodeToString(s.hash[:6])
	}
	return c, c.IsKnown()
}

// holder returns the user of a credential; someone unknown if it is not valid.
func (g *Gate) holder(shown credential) Caller {
	switch {
	case shown.fixed != Hash{}:
		user, ok := (*g.fixed.Load())[shown.fixed]
		if !ok || g.isDisabled(user.Name) {
			return Caller{}
		}
		return Caller{User: user.Name, Token: user.Source, Roles: Everywhere(user.Role)}
	case shown.token != "":
		held, err := g.options.Directory.ByID(shown.token)
		if g.failed(err) {
			return Caller{}
		}
		g.options.Directory.Used(held.ID)
		return Caller{User: held.User, Token: held.ID, Roles: held.Roles}
	case shown.session != nil && g.IsOpen():
		return Caller{User: shown.name, Roles: Everywhere(Admin)}
	}
	return Caller{}
}

// isDisabled reports whether the directory has a user who is disabled; it need not have the users of fixed tokens.
func (g *Gate) isDisabled(user string) bool {
	if g.options.Directory == nil {
		return false
	}
	is, err := g.options.Directory.IsDisabled(user)
	return g.failed(err) || is
}

// failed reports whether a token is not to be relied on. That users can't be read is logged: no one is let in then.
func (g *Gate) failed(err error) bool {
	if err != nil && !errors.Is(err, ErrUnknown) {
		g.options.Log.Error("users and tokens can't be read: no one is let in", "error", err)
	}
	return err != nil
}
