package cli

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/rowback/rowback/server/api"
	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/server/webhooks"
	"github.com/rowback/rowback/storage"
)

// webhooks returns the webhooks of a store, whose changes are told to signal.
func (cmd *serveCmd) webhooks(
	store *storage.Store, set *settings.DB, signal *webhooks.Signal, log *slog.Logger,
) (*webhooks.Hooks, error) {
	allowed, err := webhooks.ParseAllowed(cmd.WebhookAllow)
	if err != nil {
		return nil, fmt.Errorf("--webhook-allow: %w", err)
	}
	return webhooks.New(webhooks.Options{
		Store: store, DB: set, Signal: signal, Allowed: allowed, Version: version, Log: log,
		Findings: func(ctx context.Context) ([]webhooks.Finding, error) { return api.Findings(ctx, store) },
	}), nil
}
