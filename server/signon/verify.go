package signon

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/rowback/rowback/server/access"
)

// refusef returns the refusal of what a provider has signed, as a sentence.
func refusef(format string, args ...any) error {
	return &access.RefusedError{Why: fmt.Sprintf(format, args...)}
}

// Verify returns whom a token is about that the provider has signed: an id token, or an access token that is a JWT.
func (p *Provider) Verify(ctx context.Context, token string) (access.Identity, error) {
	if err := checkType(token); err != nil {
		return access.Identity{}, err
	}
	verified, err := p.verified(ctx, token)
	if err != nil {
		return access.Identity{}, err
	}
	var claims map[string]any
	if err := verified.Claims(&claims); err != nil {
		return access.Identity{}, refusef("The token's claims can't be read.")
	}
	if _, isEvent := claims["events"]; isEvent {
		return access.Identity{}, refusef("The token says that someone has logged out: it lets no one in.")
	}
	return p.identity(verified, claims)
}

// verified checks the signature, issuer, times and audience of a token.
func (p *Provider) verified(ctx context.Context, token string) (*oidc.IDToken, error) {
	found, err := p.find(ctx)
	if err != nil {
		return nil, err
	}
	verified, err := found.verifier.Verify(ctx, token)
	if err != nil {
		return nil, p.explain(err)
	}
	may := append([]string{p.ClientID}, p.Audiences...)
	if !slices.ContainsFunc(verified.Audience, func(to string) bool { return slices.Contains(may, to) }) {
		return nil, refusef("The token is for another audience (%s). Get one for %s.",
			clipped(strings.Join(verified.Audience, ", ")), strings.Join(may, " or "))
	}
	return verified, nil
}

// explain says why a token is not accepted. What the library says is for the log: parts of it come from the token.
func (p *Provider) explain(err error) error {
	p.Log.Info("a token of the identity provider is refused", "error", clipped(err.Error()))
	var expired *oidc.TokenExpiredError
	text := err.Error()
	switch {
	case errors.As(err, &expired):
		return refusef("The identity provider's token expired at %s. Get a new one.",
			expired.Expiry.UTC().Format("2006-01-02 15:04:05Z"))
	case strings.Contains(text, "fetching keys"):
		return p.unavailable(err)
	case strings.Contains(text, "issued by a different provider"):
		return refusef("The token was issued by another provider than %s.", p.Name())
	case strings.Contains(text, "not before"):
		return refusef("The token is not valid yet, by the server's clock.")
	case strings.Contains(text, "verify signature"):
		return refusef("The token is not signed with a key of the identity provider %s.", p.Name())
	case strings.Contains(text, "signature algorithm"):
		return refusef("The token is not signed in a way that the identity provider %s uses.", p.Name())
	}
	return refusef("The token is not one of the identity provider %s.", p.Name())
}

// checkType refuses a token whose header says that it is something else than an id or access token.
func checkType(token string) error {
	head, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		Type string `json:"typ"`
	}
	if err != nil || json.Unmarshal(text, &header) != nil {
		return refusef("The token is malformed.")
	}
	kind := strings.TrimPrefix(strings.ToLower(header.Type), "application/")
	if !slices.Contains([]string{"", "jwt", "at+jwt", "id_token+jwt"}, kind) {
		return refusef("The token is neither an id token nor an access token.")
	}
	return nil
}

// identity returns whom verified claims are about.
func (p *Provider) identity(token *oidc.IDToken, claims map[string]any) (access.Identity, error) {
	who := access.Identity{Issuer: token.Issuer, Subject: token.Subject, ExpiresAt: token.Expiry.Add(leeway)}
	if who.Subject == "" {
		return who, refusef("The token does not say whom it is about: it has no claim sub.")
	}
	// Programs that log in by themselves have no address: they are known by their subject.
	who.User, _ = claimAt(claims, p.UserClaim).(string)
	if who.User == "" {
		who.User = who.Subject
	} else if p.UserClaim == "email" && claims["email_verified"] != true {
		return who, refusef("The identity provider has not verified the address %s (email_verified).", clipped(who.User))
	}
	if access.CheckUserName(who.User) != nil {
		return who, refusef("The claim %s can't be a user's name here.", p.UserClaim)
	}
	groups, ok := groupsOf(claimAt(claims, p.GroupsClaim))
	if !ok && len(p.Grants) > 0 {
		return who, refusef("The token has no claim %s, which says in which groups %s is. "+
			"Have the provider send it, or the operator name another with --oidc-groups-claim.",
			p.GroupsClaim, clipped(who.User))
	}
	who.Groups = groups
	return who, nil
}

// claimAt returns a claim by its name, or by the path to it with dots; nil: there is none.
func claimAt(claims map[string]any, name string) any {
	if found, ok := claims[name]; ok {
		return found
	}
	first, rest, nested := strings.Cut(name, ".")
	inner, ok := claims[first].(map[string]any)
	if !nested || !ok {
		return nil
	}
	return claimAt(inner, rest)
}

// groupsOf reads a claim of groups: one, or a list.
func groupsOf(claim any) (groups []string, ok bool) {
	switch c := claim.(type) {
	case string:
		return []string{c}, true
	case []any:
		for _, one := range c {
			name, isText := one.(string)
			if !isText {
				return nil, false
			}
			groups = append(groups, name)
		}
		return groups, true
	}
	return nil, false
}

// clipped shortens a text for a message.
func clipped(text string) string {
	const most = 200
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}
