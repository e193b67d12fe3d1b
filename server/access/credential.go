package access

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"time"
)

// Hash is the SHA-256 of a token. Tokens are looked up by it, and only it is kept: how long a look-up takes says
// nothing of a token.
type Hash [sha256.Size]byte

// HashOf returns the hash of a token.
func HashOf(token string) Hash { return sha256.Sum256([]byte(token)) }

// credential is what a client has shown, by which the caller is found anew at each request.
type credential struct {
	name  string // of the user; only a server without tokens relies on it
	fixed Hash   // of a token from an option or a file; zero: another kind
	token string // the id of a token from the directory; empty: another kind

	identity *Identity // that a provider vouches for; nil: another kind
	signed   Hash      // of the provider's token that says so; zero: another kind, or a session
	until    time.Time // when what was shown ends; zero: that is asked at each request

	session   Hash // that stands for it; zero: none
	sessionID string
	unread    error // why the session can't be read; nil: it can
}

// identify returns who shows a token, or the id of a session, and what that is.
func (g *Gate) identify(text string, from netip.Addr) (c Caller, shown credential) {
	if isSession(text) {
		shown = g.session(HashOf(text))
		return g.complete(g.holder(shown), shown, from), shown
	}
	hash := HashOf(text)
	if _, ok := (*g.fixed.Load())[hash]; ok {
		shown = credential{fixed: hash}
		return g.caller(shown, from), shown
	}
	if g.options.Provider != nil && isSigned(text) {
		return g.signed(text, from)
	}
	if g.options.Directory == nil || !IsToken(text) {
		c = Caller{Address: from}
		if _, err := g.isOpen(); g.failed(err) { // perhaps no token is needed
			c = nobody(err)
			c.Address = from
		}
		return c, credential{}
	}
	held, err := g.options.Directory.ByHash(hash)
	if g.failed(err) {
		c = nobody(err)
		c.Address = from
		return c, credential{}
	}
	shown = credential{token: held.ID}
	return g.complete(g.holderOf(held), shown, from), shown
}

// signed returns who shows a token that an identity provider has signed, or why it is refused.
func (g *Gate) signed(text string, from netip.Addr) (c Caller, shown credential) {
	shown, err := g.verify(text)
	if err != nil {
		c = Caller{Address: from}
		if !errors.As(err, &c.Refused) {
			g.options.Log.Error("a token of the identity provider can't be verified", "error", err)
		}
		return c, credential{}
	}
	return g.caller(shown, from), shown
}

// caller returns who stands behind a credential, as of now.
func (g *Gate) caller(shown credential, from netip.Addr) Caller {
	now := shown
	if shown.session != (Hash{}) {
		now = g.session(shown.session)
	}
	if !now.until.IsZero() && !g.options.Now().Before(now.until) {
		now = credential{}
	}
	return g.complete(g.holder(now), shown, from)
}

// complete completes a caller with where the request comes from, and how to find the caller again.
func (g *Gate) complete(c Caller, shown credential, from netip.Addr) Caller {
	c.Address, c.Session, c.Counted = from, shown.sessionID, shown.counted()
	c.again = func(mayHaveEnded bool) Caller {
		of := shown
		if mayHaveEnded {
			of.until = time.Time{}
		}
		return g.caller(of, from)
	}
	return c
}

// counted returns what tells a credential from all others, and does not open anything.
func (c credential) counted() string {
	switch {
	case c.fixed != Hash{}:
		return "fixed " + hex.EncodeToString(c.fixed[:])
	case c.token != "":
		return "token " + c.token
	case c.signed != Hash{}:
		return "signed " + hex.EncodeToString(c.signed[:])
	case c.sessionID != "":
		return "session " + c.sessionID
	}
	return ""
}

// holderOf returns the user of a token of the directory's, which is in use.
func (g *Gate) holderOf(held Held) Caller {
	g.options.Directory.Used(held.ID)
	return Caller{User: held.User, Token: held.ID, Roles: held.Roles}
}

// holder returns the user of a credential; someone unknown if it is not valid.
func (g *Gate) holder(shown credential) Caller {
	switch {
	case shown.unread != nil:
		return nobody(shown.unread)
	case shown.fixed != Hash{}:
		user, ok := (*g.fixed.Load())[shown.fixed]
		disabled, err := g.isDisabled(user.Name)
		if g.failed(err) {
			return nobody(err)
		}
		if !ok || disabled {
			return Caller{}
		}
		return Caller{User: user.Name, Token: user.Source, Roles: Everywhere(user.Role)}
	case shown.token != "":
		held, err := g.options.Directory.ByID(shown.token)
		if g.failed(err) {
			return nobody(err)
		}
		return g.holderOf(held)
	case shown.identity != nil:
		return g.member(*shown.identity)
	case shown.session != Hash{}:
		isOpen, err := g.isOpen()
		if g.failed(err) {
			return nobody(err)
		}
		if isOpen {
			return Caller{User: shown.name, Roles: Everywhere(Admin)}
		}
	}
	return Caller{}
}

// isDisabled reports whether the directory has a user who is disabled; it need not have the users of fixed tokens.
func (g *Gate) isDisabled(user string) (bool, error) {
	if g.options.Directory == nil {
		return false, nil
	}
	return g.options.Directory.IsDisabled(user)
}

// nobody is someone unknown: since the credential is not valid, or since it can't be found out whether it is.
func nobody(err error) Caller {
	if errors.Is(err, ErrUnknown) {
		return Caller{}
	}
	return Caller{Refused: &RefusedError{
		Why:         "The server can't read its users and tokens at the moment. Nothing was changed. Send the request again.",
		Unavailable: true, Code: "users_unavailable",
	}}
}

// failed reports whether a token is not to be relied on. That users can't be read is logged: no one is let in then.
func (g *Gate) failed(err error) bool {
	if err != nil && !errors.Is(err, ErrUnknown) {
		g.options.Log.Error("users and tokens can't be read: no one is let in", "error", err)
	}
	return err != nil
}
