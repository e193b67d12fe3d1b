package cli

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/webhooks"
)

// stopWebhooks disables the webhooks that a user may not have any more, in the transaction that took the user's role.
func (s *serving) stopWebhooks(tx *sql.Tx, of accounts.Standing) error {
	n, err := webhooks.StopOf(tx, of.User, s.mayNotHave(of))
	if n > 0 {
		s.log.Warn("webhooks were disabled: their user may not have them any more", "user", of.User, "webhooks", n)
	}
	return err
}

// mayNotHave returns why a user may not have a webhook; nothing: they may.
func (s *serving) mayNotHave(of accounts.Standing) func(webhooks.Hook) string {
	caller := access.Caller{User: of.User, Roles: of.Roles}
	fixed := access.None
	if s.shared.gate != nil {
		fixed = s.shared.gate.FixedRole(of.User)
	}
	caller.Roles = caller.Roles.And(access.Everywhere(fixed))
	if of.Identity != nil && s.provider != nil {
		// Without what the groups give, roles that were given here count alone.
		if groups, err := s.provider.Roles(context.Background(), *of.Identity); err == nil {
			caller.Roles = caller.Roles.And(groups)
		}
	}
	return func(h webhooks.Hook) string {
		const remedy = "Whoever enables the webhook takes it over."
		needed := access.Maintainer
		where := fmt.Sprintf("project %d", h.Project)
		if h.Project == 0 {
			needed, where = access.Admin, "all projects"
		}
		switch {
		case !of.Exists && fixed == access.None:
			return fmt.Sprintf("Its user, %s, was removed. %s", of.User, remedy)
		case of.IsDisabled:
			return fmt.Sprintf("Its user, %s, is disabled. %s", of.User, remedy)
		case !caller.May(h.Project, needed):
			return fmt.Sprintf("Its user, %s, no longer has the role %s in %s. %s", of.User, needed, where, remedy)
		}
		return ""
	}
}

// reviewWebhooks disables the webhooks of those who may not have them any more, such as users of tokens that are no
// longer among the operator's. What was made while the server had no users stays.
func (s *serving) reviewWebhooks(ctx context.Context) error {
	if s.shared.gate.IsOpen() {
		return nil
	}
	all, err := s.hooks.List()
	if err != nil {
		return err
	}
	seen := map[string]bool{access.Anonymous: true, "": true}
	for _, h := range all {
		if seen[h.User] || !h.IsEnabled {
			continue
		}
		seen[h.User] = true
		of, err := s.accounts.Standing(ctx, h.User)
		if err != nil {
			return err
		}
		if err := s.settings.Write(ctx, func(tx *sql.Tx) error { return s.stopWebhooks(tx, of) }); err != nil {
			return err
		}
	}
	return nil
}
