// Package signon lets people in whom an OpenID Connect provider vouches for.
//
//	provider   what is known of the provider, read from it when it is first needed (provider.go)
//	verify     a token that it has signed, and whom it is about (verify.go)
//	login      the authorization code flow of pages, with PKCE, state and nonce (login.go)
//	roles      what the provider's groups may do here (roles.go)
//
// Nothing here decides who is let in: access does, by the identities that this package returns. A provider that is down
// prevents logins by it and nothing else. fixtures/clients/test_signon.py runs a real provider, and one that lies.
package signon

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Options configure a provider.
type Options struct {
	Issuer       string // its URL, exactly as it calls itself
	ClientID     string
	ClientSecret string   // empty: a public client
	Audiences    []string // that tokens may be for, besides the client
	Scopes       []string // asked for at a login; openid is always
	UserClaim    string   // the claim that has the user's name
	GroupsClaim  string   // the claim that has the user's groups
	Grants       []GroupRole
	Projects     func(ctx context.Context, name string) (int64, error) // finds a project by name or number

	Now  func() time.Time
	Log  *slog.Logger
	HTTP *http.Client // nil: one that trusts the system's authorities
}

// Provider is an identity provider.
type Provider struct {
	Options
	discovery discovery
}

// leeway is how far the clocks of the provider and this machine may be apart.
const leeway = time.Minute

// New returns a provider. It is not asked for anything yet.
func New(o Options) (*Provider, error) {
	u, err := url.Parse(o.Issuer)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the issuer must be a URL such as https://sso.example.com/realms/data")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, errors.New("the issuer must begin with https://, so that no one can pretend to be it")
	case o.ClientID == "":
		return nil, errors.New("the client id is missing: register this server with the provider")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.HTTP == nil {
		o.HTTP = newClient(o.Now)
	}
	if !slices.Contains(o.Scopes, "openid") {
		o.Scopes = append([]string{"openid"}, o.Scopes...)
	}
	return &Provider{Options: o}, nil
}

// Name is what the provider is called in pages: its host.
func (p *Provider) Name() string {
	u, err := url.Parse(p.Issuer)
	if err != nil {
		return p.Issuer
	}
	return u.Host
}

// HasAdmins reports whether a group of the provider is one of admins.
func (p *Provider) HasAdmins() bool {
	return slices.ContainsFunc(p.Grants, func(r GroupRole) bool { return r.Project == "*" && r.Role.String() == "admin" })
}
