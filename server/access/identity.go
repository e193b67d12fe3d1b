package access

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Identity is who an identity provider says that someone is.
type Identity struct {
	Issuer  string
	Subject string // which the provider gives to no one else
	User    string // the name here
	Groups  []string

	ExpiresAt time.Time // of the token that says so
}

// Provider verifies what an identity provider has signed. Verify's error is a *RefusedError.
type Provider interface {
	Verify(ctx context.Context, token string) (Identity, error)
	Roles(ctx context.Context, of Identity) (Roles, error) // that the provider's groups are given
}

// RefusedError says why a token of an identity provider is not accepted.
type RefusedError struct {
	Why         string // a sentence for the client
	Unavailable bool   // the provider can't be asked at the moment, or users and tokens can't be read
	Code        string // that programs know it by; empty: that of a provider
}

// Error returns the sentence.
func (e *RefusedError) Error() string { return e.Why }

// Members knows the users whom an identity provider vouches for.
type Members interface {
	// Admit records an identity at its first use, and returns the roles that its user has been given here. The error is a
	// *RefusedError for an identity whose name is someone else's, or that of a user who is disabled.
	Admit(of Identity) (Roles, error)
}

// isSigned reports whether a text looks like a JSON Web Token.
func isSigned(text string) bool {
	return strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") == 2
}

// verify returns who an identity provider's token is about.
func (g *Gate) verify(text string) (credential, error) {
	ctx, cancel := context.WithTimeout(context.Background(), verifyWithin)
	defer cancel()
	who, err := g.options.Provider.Verify(ctx, text)
	if err != nil {
		return credential{}, err
	}
	return credential{name: who.User, identity: &who, signed: HashOf(text), until: who.ExpiresAt}, nil
}

// verifyWithin bounds how long the provider may take where its keys have to be read.
const verifyWithin = 10 * time.Second

// member returns the caller whom an identity provider vouches for: the roles of the groups, and those given here.
func (g *Gate) member(of Identity) Caller {
	if g.options.Provider == nil || g.options.Members == nil {
		return Caller{}
	}
	if g.FixedRole(of.User) != None {
		return Caller{Refused: &RefusedError{Why: "The name '" + of.User + "' is that of a token which the operator gave."}}
	}
	given, err := g.options.Members.Admit(of)
	var refused *RefusedError
	if errors.As(err, &refused) {
		return Caller{Refused: refused}
	}
	if g.failed(err) {
		return nobody(err)
	}
	roles, err := g.options.Provider.Roles(context.Background(), of)
	if g.failed(err) {
		return Caller{}
	}
	return Caller{User: of.User, Token: "oidc", Roles: roles.And(given)}
}

// Vouched starts a session of someone whom the provider has vouched for at a login.
func (g *Gate) Vouched(of Identity, from string) (session string, caller Caller, err error) {
	if caller = g.member(of); !caller.IsKnown() {
		if caller.Refused != nil {
			return "", caller, caller.Refused
		}
		return "", caller, ErrWrong
	}
	// The token that the provider gave at the login is for minutes: the session has ends of its own.
	session, err = g.startSession(credential{name: of.User, identity: &of}, from)
	return session, caller, err
}
