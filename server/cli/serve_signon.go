package cli

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/signon"
)

// oidcFlags are about the identity provider whose users are let in.
type oidcFlags struct {
	OIDCIssuer       string   `name:"oidc-issuer" help:"${oidc_issuer}" placeholder:"URL"`
	OIDCClientID     string   `name:"oidc-client-id" help:"${oidc_client_id}" placeholder:"ID"`
	OIDCClientSecret string   `name:"oidc-client-secret" help:"${oidc_client_secret}" placeholder:"SECRET"`
	OIDCAudience     []string `name:"oidc-audience" help:"${oidc_audience}" placeholder:"NAME"`
	OIDCScope        []string `name:"oidc-scope" help:"${oidc_scope}" default:"profile,email" placeholder:"SCOPE"`
	OIDCUserClaim    string   `name:"oidc-user-claim" help:"${oidc_user_claim}" default:"email" placeholder:"CLAIM"`
	OIDCGroupsClaim  string   `name:"oidc-groups-claim" help:"${oidc_groups_claim}" default:"groups" placeholder:"CLAIM"`
	OIDCRole         []string `name:"oidc-role" help:"${oidc_role}" placeholder:"GROUP=ROLE[@PROJECT]"`
}

// check refuses flags that do not go together, before anything is opened.
func (f oidcFlags) check() error {
	if f.OIDCIssuer == "" && (f.OIDCClientID != "" || len(f.OIDCRole) > 0 || len(f.OIDCAudience) > 0) {
		return errors.New("--oidc-client-id, --oidc-role and --oidc-audience need --oidc-issuer")
	}
	_, err := f.provider(nil, nil)
	return err
}

// provider returns the identity provider; nil: there is none.
func (f oidcFlags) provider(known *accounts.Accounts, log *slog.Logger) (*signon.Provider, error) {
	if f.OIDCIssuer == "" {
		return nil, nil
	}
	o := signon.Options{
		Issuer: f.OIDCIssuer, ClientID: f.OIDCClientID, ClientSecret: f.OIDCClientSecret, Audiences: f.OIDCAudience,
		Scopes: f.OIDCScope, UserClaim: f.OIDCUserClaim, GroupsClaim: f.OIDCGroupsClaim, Log: log,
	}
	if known != nil {
		o.Projects = known.ProjectID
	}
	for _, text := range f.OIDCRole {
		grant, err := signon.ParseRole(text)
		if err != nil {
			return nil, fmt.Errorf("--oidc-role: %w", err)
		}
		o.Grants = append(o.Grants, grant)
	}
	p, err := signon.New(o)
	if err != nil {
		return nil, fmt.Errorf("--oidc-issuer %s: %w", f.OIDCIssuer, err)
	}
	return p, nil
}
