package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rowback/rowback/server/terminal"
)

// webhookCmd makes, lists, changes, tests and deletes webhooks.
type webhookCmd struct {
	Create createWebhookCmd `cmd:"" help:"Send messages about what happens to a URL."`
	List   listWebhooksCmd  `cmd:"" default:"withargs" help:"List webhooks (the default)."`
	Edit   editWebhookCmd   `cmd:"" help:"Change where messages go, about what, or whether."`
	Delete deleteWebhookCmd `cmd:"" help:"Remove a webhook and its messages."`
	Test   testWebhookCmd   `cmd:"" help:"Send a test message at once; exit code 1 if it was not delivered."`
}

const webhooksPath = "/api/v1/webhooks"

// webhookAnswer is a webhook as the command line shows it.
type webhookAnswer struct {
	ID             string   `json:"id"`
	URL            string   `json:"url"`
	Description    string   `json:"description"`
	Kinds          []string `json:"kinds"`
	ProjectID      *int64   `json:"project_id"`
	DatasetID      *string  `json:"dataset_id"`
	Enabled        bool     `json:"enabled"`
	DisabledReason string   `json:"disabled_reason,omitempty"`
	Failures       int      `json:"failures"`
	Secret         string   `json:"secret,omitempty"`
}

// createWebhookCmd makes a webhook.
type createWebhookCmd struct {
	remote
	URL         string      `arg:"" help:"Where the messages are posted."`
	Kind        []string    `help:"Only of this type, such as commit.created; may be repeated." placeholder:"TYPE"`
	Dataset     string      `help:"Only of this dataset: its name or id." placeholder:"NAME"`
	ProjectID   *projectRef `help:"${hook_project}" aliases:"project" placeholder:"NAME"`
	Description string      `short:"m" aliases:"message" placeholder:"TEXT" help:"What it is for."`
}

// Run makes the webhook.
func (cmd *createWebhookCmd) Run(c console) error {
	body := map[string]any{"url": cmd.URL, "kinds": cmd.Kind, "dataset": cmd.Dataset, "description": cmd.Description}
	if cmd.ProjectID != nil {
		body["project_id"] = *cmd.ProjectID
	}
	var made webhookAnswer
	if err := cmd.post(webhooksPath, nil, body, &made); err != nil {
		return err
	}
	return c.answer(made, func() {
		c.printf("webhook %s\nsecret %s\nThe secret is not shown again.\n", made.ID, made.Secret)
	})
}

// listWebhooksCmd lists webhooks.
type listWebhooksCmd struct {
	remote
	formatFlag
}

// Run lists the webhooks.
func (cmd *listWebhooksCmd) Run(c console) error {
	var list struct {
		Webhooks []webhookAnswer `json:"webhooks"`
	}
	if err := cmd.get(webhooksPath, nil, &list); err != nil {
		return err
	}
	return cmd.print(c, list.Webhooks, "WEBHOOK\tPROJECT\tDATASET\tTYPES\tSTATE\tURL", func(row func(...any)) {
		for _, h := range list.Webhooks {
			row(terminal.ID(h.ID), orAll(h.ProjectID), orAll(h.DatasetID), h.types(), h.state(), h.URL)
		}
	})
}

// orAll is what a webhook is of; all where it is not limited.
func orAll[T any](of *T) any {
	if of == nil {
		return "all"
	}
	return *of
}

// types are the types of the messages that a webhook gets.
func (h webhookAnswer) types() string {
	if len(h.Kinds) == 0 {
		return "all"
	}
	return strings.Join(h.Kinds, ",")
}

// state says whether a webhook works.
func (h webhookAnswer) state() string {
	switch {
	case !h.Enabled:
		return "disabled"
	case h.Failures > 0:
		return "failing"
	}
	return "enabled"
}

// oneWebhook names a webhook.
type oneWebhook struct {
	remote
	Webhook string `arg:"" help:"The webhook's id."`
}

// path returns the URL path of a resource of the webhook.
func (w oneWebhook) path(more string) string {
	return webhooksPath + "/" + url.PathEscape(w.Webhook) + more
}

// editWebhookCmd changes a webhook. What is not named stays.
type editWebhookCmd struct {
	oneWebhook
	URL         *string  `help:"Where the messages are posted." placeholder:"URL"`
	Kind        []string `help:"Only of this type; may be repeated; all for any." placeholder:"TYPE"`
	Enabled     *bool    `help:"Whether messages are sent." negatable:""`
	Description *string  `short:"m" aliases:"message" placeholder:"TEXT" help:"What it is for."`
}

// Run changes the webhook.
func (cmd *editWebhookCmd) Run(c console) error {
	body := map[string]any{}
	for name, value := range map[string]*string{"url": cmd.URL, "description": cmd.Description} {
		if value != nil {
			body[name] = *value
		}
	}
	if cmd.Enabled != nil {
		body["enabled"] = *cmd.Enabled
	}
	switch {
	case slices.Equal(cmd.Kind, []string{"all"}):
		body["kinds"] = []string{}
	case len(cmd.Kind) > 0:
		body["kinds"] = cmd.Kind
	}
	if len(body) == 0 {
		return exitError{exitUsage, errors.New("what is to change? See rowback webhook edit --help")}
	}
	var now webhookAnswer
	if err := cmd.call(http.MethodPatch, cmd.path(""), nil, body, &now); err != nil {
		return err
	}
	return c.answer(now, func() { c.printf("webhook %s is %s: %s to %s\n", now.ID, now.state(), now.types(), now.URL) })
}

// deleteWebhookCmd removes a webhook.
type deleteWebhookCmd struct{ oneWebhook }

// Run removes the webhook.
func (cmd *deleteWebhookCmd) Run(c console) error {
	if err := cmd.call(http.MethodDelete, cmd.path(""), nil, nil, nil); err != nil {
		return err
	}
	return c.removed("webhook", cmd.Webhook)
}

// testWebhookCmd sends a test message.
type testWebhookCmd struct{ oneWebhook }

// Run sends the message.
func (cmd *testWebhookCmd) Run(c console) error {
	var answer struct {
		Delivered bool   `json:"delivered"`
		Problem   string `json:"problem"`
		Status    *int   `json:"status"`
	}
	if err := cmd.post(cmd.path("/test"), nil, struct{}{}, &answer); err != nil {
		return err
	}
	if !answer.Delivered {
		return fmt.Errorf("not delivered: %s", answer.Problem)
	}
	return c.answer(answer, func() { c.printf("delivered: the receiver answered %d\n", *answer.Status) })
}
