package signon

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/rowback/rowback/server/access"
)

// LoginLasts is how long someone may take to log in at the provider.
const LoginLasts = 10 * time.Minute

// begun is a login that was begun. The browser that began it keeps it in a cookie, so that no other can complete it.
type begun struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	Then     string    `json:"t"`
	Ends     time.Time `json:"e"`
}

// Begin returns where a browser logs in, and what it is to keep meanwhile. back is this server's callback; then, the
// page to show afterwards.
func (p *Provider) Begin(ctx context.Context, back, then string) (at, kept string, err error) {
	found, err := p.find(ctx)
	if err != nil {
		return "", "", err
	}
	b := begun{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(), Then: Local(then)}
	b.Ends = p.Now().Add(LoginLasts)
	text, err := json.Marshal(b)
	if err != nil {
		return "", "", err
	}
	at = p.oauth(found, back).AuthCodeURL(b.State, oidc.Nonce(b.Nonce), oauth2.S256ChallengeOption(b.Verifier))
	return at, base64.RawURLEncoding.EncodeToString(text), nil
}

// Answer is what the provider sends a browser back with.
type Answer struct{ Code, State, Issuer, Error string }

// Complete returns who has logged in, and the page to show. kept is what the browser kept.
func (p *Provider) Complete(
	ctx context.Context, a Answer, kept, back string,
) (who access.Identity, then string, err error) {
	var b begun
	text, err := base64.RawURLEncoding.DecodeString(kept)
	if err != nil || json.Unmarshal(text, &b) != nil || b.State == "" || !p.Now().Before(b.Ends) ||
		subtle.ConstantTimeCompare([]byte(b.State), []byte(a.State)) != 1 {
		return who, "", refusef("This login was not begun in this browser, or more than %d minutes ago. Begin again.",
			int(LoginLasts.Minutes()))
	}
	switch {
	case a.Issuer != "" && a.Issuer != p.Issuer:
		return who, "", refusef("The answer is another identity provider's. Begin again.")
	case a.Error != "":
		return who, "", refusef("The identity provider %s refused the login (%s).", p.Name(), clipped(a.Error))
	case a.Code == "":
		return who, "", refusef("The identity provider's answer has no code. Begin again.")
	}
	who, err = p.redeem(ctx, a.Code, b, back)
	return who, Local(b.Then), err
}

// redeem exchanges a code for an id token, and returns whom it is about.
func (p *Provider) redeem(ctx context.Context, code string, b begun, back string) (who access.Identity, err error) {
	found, err := p.find(ctx)
	if err != nil {
		return who, err
	}
	ctx = oidc.ClientContext(ctx, p.HTTP)
	got, err := p.oauth(found, back).Exchange(ctx, code, oauth2.VerifierOption(b.Verifier))
	if err != nil {
		return who, p.unredeemed(err)
	}
	token, ok := got.Extra("id_token").(string)
	if !ok {
		return who, refusef("The identity provider %s sent no id token.", p.Name())
	}
	verified, err := p.verified(ctx, token)
	if err != nil {
		return who, err
	}
	if b.Nonce == "" || subtle.ConstantTimeCompare([]byte(verified.Nonce), []byte(b.Nonce)) != 1 {
		return who, refusef("The id token is of another login (nonce). Begin again.")
	}
	claims := map[string]any{}
	if err := verified.Claims(&claims); err != nil {
		return who, refusef("The id token's claims can't be read.")
	}
	p.complete(ctx, found, got, verified.Subject, claims)
	return p.identity(verified, claims)
}

// complete adds claims that the provider tells only when it is asked: many leave groups and addresses out of id tokens.
func (p *Provider) complete(
	ctx context.Context, found *found, got *oauth2.Token, subject string, claims map[string]any,
) {
	if claimAt(claims, p.GroupsClaim) != nil && claimAt(claims, p.UserClaim) != nil || found.UserInfoEndpoint() == "" {
		return
	}
	info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(got))
	if err != nil || info.Subject != subject {
		p.Log.Warn("the identity provider does not say more of someone who logs in", "error", err)
		return
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return
	}
	for name, value := range more {
		if _, has := claims[name]; !has {
			claims[name] = value
		}
	}
}

// unredeemed is the refusal of a code that was not exchanged.
func (p *Provider) unredeemed(err error) error {
	p.Log.Warn("the identity provider does not exchange a code", "error", clipped(err.Error()))
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < 500 {
		return refusef("The identity provider %s does not accept the login (%s). Begin again.", p.Name(),
			clipped(refused.ErrorCode))
	}
	return p.unavailable(err)
}

// oauth is how this server asks the provider.
func (p *Provider) oauth(found *found, back string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: back, Scopes: p.Scopes,
	}
}

// Local returns a path of this server to go to; the root in place of anything that could be elsewhere.
func Local(then string) string {
	if !strings.HasPrefix(then, "/") || strings.HasPrefix(then, "//") || strings.ContainsAny(then, "\\\r\n\t\"<>") ||
		len(then) > 2000 {
		return "/"
	}
	return then
}

// random returns 256 random bits.
func random() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
