package api

import (
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/server/webhooks"
	"github.com/rowback/rowback/storage/fault"
)

const (
	hooksPath = "/api/v1/webhooks"
	oneHook   = hooksPath + "/{webhook}"
)

// webhookRoutes returns the routes about webhooks. Whoever uses one needs the role in the project that the webhook is
// of; one of all projects is for admins.
func (a *API) webhookRoutes() []route {
	return []route{
		{
			method: "POST", path: hooksPath, id: "createWebhook", tag: "webhooks", role: access.Maintainer,
			summary: "Send messages about what happens to a URL",
			in:      createWebhookIn{}, status: 201, out: createdWebhook{}, problems: writes, handler: a.createWebhook,
		},
		{
			method: "GET", path: hooksPath, id: "listWebhooks", tag: "webhooks", role: access.Known,
			summary: "Webhooks that the caller may change, by id",
			status:  200, out: webhookList{}, problems: []int{422}, handler: a.listWebhooks,
		},
		{
			method: "GET", path: oneHook, id: "getWebhook", tag: "webhooks", role: access.Maintainer,
			summary: "One webhook",
			in:      webhookIn{}, status: 200, out: webhookView{}, problems: finds, handler: onWebhook(a, a.getWebhook),
		},
		{
			method: "PATCH", path: oneHook, id: "editWebhook", tag: "webhooks", role: access.Maintainer,
			summary: "Change where messages go, about what, or whether",
			in:      editWebhookIn{}, status: 200, out: webhookView{}, problems: writes,
			handler: onWebhook(a, a.editWebhook),
		},
		{
			method: "DELETE", path: oneHook, id: "deleteWebhook", tag: "webhooks", role: access.Maintainer,
			summary: "Remove a webhook and its messages",
			in:      webhookIn{}, status: 204, problems: finds, handler: onWebhook(a, a.deleteWebhook),
		},
		{
			method: "POST", path: oneHook + "/test", id: "testWebhook", tag: "webhooks", role: access.Maintainer,
			summary: "Send a message of the type webhook.test at once",
			in:      webhookIn{}, status: 200, out: testedWebhook{}, problems: finds, handler: onWebhook(a, a.testWebhook),
		},
		{
			method: "GET", path: oneHook + "/deliveries", id: "listDeliveries", tag: "webhooks", role: access.Maintainer,
			summary: "Messages to a webhook, newest first",
			in:      listDeliveriesIn{}, status: 200, out: deliveryList{}, problems: finds,
			handler: onWebhook(a, a.listDeliveries),
		},
		{
			method: "POST", path: oneHook + "/deliveries/{delivery}/redeliver", id: "redeliver", tag: "webhooks",
			role: access.Maintainer, summary: "Queue a message once more, under its id",
			in: oneDeliveryIn{}, status: 200, out: deliveryView{}, problems: writes, handler: onWebhook(a, a.redeliver),
		},
	}
}

// webhookView is a webhook as clients see it.
type webhookView struct {
	ID             string   `json:"id"`
	URL            string   `json:"url"`
	Description    string   `json:"description"`
	Kinds          []string `json:"kinds" description:"The types of the messages that are sent; empty: all."`
	ProjectID      *int64   `json:"project_id" description:"null: of all projects, and of the server."`
	DatasetID      *string  `json:"dataset_id" description:"null: of all datasets of the project."`
	Enabled        bool     `json:"enabled"`
	DisabledReason string   `json:"disabled_reason,omitempty" description:"Why the server disabled it."`

	Failures     int        `json:"failures" description:"Attempts since the last that succeeded."`
	FailingSince *time.Time `json:"failing_since" description:"The first of them."`
	User         string     `json:"user" description:"${webhook.user}"`
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
}

// createdWebhook is a new webhook, with its secret.
type createdWebhook struct {
	webhookView
	Secret string `json:"secret" description:"Signs the messages. It is shown this once."`
}

func viewWebhook(h webhooks.Hook) webhookView {
	v := webhookView{
		ID: h.ID, URL: h.URL, Description: h.Description,
		Kinds:   views(h.Kinds, func(k webhooks.Kind) string { return string(k) }),
		Enabled: h.IsEnabled, DisabledReason: h.DisabledReason, Failures: h.Failures, User: h.User,
		CreatedAt: h.CreatedAt, UpdatedAt: h.UpdatedAt, FailingSince: timeOrNil(h.FailingSince),
	}
	if h.Project != 0 {
		v.ProjectID = &h.Project
	}
	if h.Dataset != "" {
		v.DatasetID = &h.Dataset
	}
	return v
}

// timeOrNil returns a pointer to a time, or nil for the zero time.
func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// hooks returns the webhooks, or refuses where the server has none, as in tests of other routes.
func (a *API) hooks() (*webhooks.Hooks, error) {
	if a.options.Webhooks == nil {
		return nil, fault.Errorf(fault.Unavailable, "webhooks_off", "This server sends no webhooks.")
	}
	return a.options.Webhooks, nil
}

// mayHaveWebhook refuses a caller who may not have the webhooks of a project; 0: of all.
func mayHaveWebhook(c access.Caller, project int64) error {
	if project == 0 {
		return permit.CheckAdmin(c)
	}
	return permit.Check(c, project, access.Maintainer)
}

// onWebhook returns the handler of requests about one webhook. One that the caller is not to know of is not found.
func onWebhook[In ofWebhook](a *API, answer func(*fiber.Ctx, *webhooks.Hooks, webhooks.Hook, In) error) fiber.Handler {
	return func(c *fiber.Ctx) error {
		var in In
		if err := a.bind(c, &in); err != nil {
			return err
		}
		all, err := a.hooks()
		if err != nil {
			return err
		}
		h, err := all.Find(in.ofWebhook().Webhook)
		if err != nil {
			return err
		}
		if err := mayHaveWebhook(host.Caller(c), h.Project); err != nil {
			if h.Project == 0 || fault.KindOf(err) == fault.NotFound {
				return webhooks.ErrNotFound
			}
			return err
		}
		noteWebhook(c, h)
		return answer(c, all, h, in)
	}
}

// noteWebhook notes which webhook a request is about, in the audit log. Its URL may have a secret in it.
func noteWebhook(c *fiber.Ctx, h webhooks.Hook) {
	audit.Of(c.UserContext()).Project(h.Project)
	audit.Of(c.UserContext()).About("webhook %s", h.ID)
}

// webhookIn identifies a webhook.
type webhookIn struct {
	Webhook string `path:"webhook" required:"true" json:"-"`
}

type ofWebhook interface{ ofWebhook() webhookIn }

func (in webhookIn) ofWebhook() webhookIn { return in }

// createWebhookIn is the request to make a webhook.
type createWebhookIn struct {
	URL         string   `json:"url" required:"true" minLength:"1" maxLength:"2000" description:"${webhook.url}"`
	Description string   `json:"description" maxLength:"1000"`
	Kinds       []string `json:"kinds" description:"${webhook.kinds}"`
	ProjectID   *int64   `json:"project_id" description:"${webhook.project_id}"`
	Dataset     string   `json:"dataset" description:"${webhook.dataset}"`
}

// createWebhook makes a webhook, and answers with its secret.
func (a *API) createWebhook(c *fiber.Ctx) error {
	var in createWebhookIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	all, err := a.hooks()
	if err != nil {
		return err
	}
	h, err := a.newWebhook(c, all, in)
	if err != nil {
		return err
	}
	if h, err = all.Create(c.UserContext(), h); err != nil {
		return err
	}
	noteWebhook(c, h)
	told, err := say(http.StatusCreated, hooksPath+"/"+h.ID, createdWebhook{viewWebhook(h), h.Secret})
	if err != nil {
		return err
	}
	c.Set("Cache-Control", "no-store")
	return send(c, told)
}

// newWebhook returns the webhook that a request asks for, if its sender may have it.
func (a *API) newWebhook(c *fiber.Ctx, all *webhooks.Hooks, in createWebhookIn) (h webhooks.Hook, err error) {
	h = webhooks.Hook{URL: in.URL, Description: in.Description, User: host.User(c)}
	if in.ProjectID != nil {
		if h.Project = *in.ProjectID; h.Project < 1 {
			return h, invalid("project_id", "must be a project")
		}
	}
	if err := a.scope(c, &h, in.Dataset); err != nil {
		return h, err
	}
	if h.Kinds, err = webhooks.ParseKinds(in.Kinds); err != nil {
		return h, invalid("kinds", err.Error())
	}
	return h, checkWebhook(all, &in.URL, &in.Description)
}

// scope settles which project and dataset a webhook is of, and refuses those who may not have it.
func (a *API) scope(c *fiber.Ctx, h *webhooks.Hook, dataset string) error {
	if dataset != "" {
		d, err := a.dataset(c.UserContext(), datasetIn{Dataset: dataset, ProjectID: h.Project})
		switch {
		case err != nil:
			return err
		case h.Project != 0 && h.Project != d.ProjectID:
			return invalid("dataset", "is not in the project project_id")
		}
		h.Project, h.Dataset = d.ProjectID, d.ID
	}
	return mayHaveWebhook(host.Caller(c), h.Project)
}

// checkWebhook refuses what a webhook can't have; nil: it is not changed.
func checkWebhook(all *webhooks.Hooks, url, description *string) error {
	if description != nil && len(*description) > 1000 {
		return invalid("description", "must have at most 1000 bytes")
	}
	if url == nil {
		return nil
	}
	if err := all.Allowed.CheckURL(*url); err != nil {
		return invalid("url", err.Error())
	}
	return nil
}

// webhookList is the webhooks that a caller may change.
type webhookList struct {
	Webhooks []webhookView `json:"webhooks"`
}

// listWebhooks lists the webhooks that the caller may change. There are not so many that pages are needed.
func (a *API) listWebhooks(c *fiber.Ctx) error {
	var in struct{}
	if err := a.bind(c, &in); err != nil {
		return err
	}
	all, err := a.hooks()
	if err != nil {
		return err
	}
	list, err := all.List()
	if err != nil {
		return err
	}
	out, caller := webhookList{Webhooks: []webhookView{}}, host.Caller(c)
	for _, h := range list {
		if mayHaveWebhook(caller, h.Project) == nil {
			out.Webhooks = append(out.Webhooks, viewWebhook(h))
		}
	}
	return ok(c, out)
}

// getWebhook describes a webhook, without its secret.
func (a *API) getWebhook(c *fiber.Ctx, _ *webhooks.Hooks, h webhooks.Hook, _ webhookIn) error {
	return ok(c, viewWebhook(h))
}

// editWebhookIn is the request to change a webhook. Fields that are left out keep their values.
type editWebhookIn struct {
	webhookIn
	URL         *string   `json:"url" nullable:"false" description:"${webhook.url}"`
	Description *string   `json:"description" nullable:"false"`
	Kinds       *[]string `json:"kinds" nullable:"false" description:"${webhook.kinds}"`
	Enabled     *bool     `json:"enabled" nullable:"false" description:"${webhook.enabled}"`
}

// editWebhook changes a webhook.
func (a *API) editWebhook(c *fiber.Ctx, all *webhooks.Hooks, h webhooks.Hook, in editWebhookIn) error {
	if err := checkWebhook(all, in.URL, in.Description); err != nil {
		return err
	}
	var kinds []webhooks.Kind
	if in.Kinds != nil {
		var err error
		if kinds, err = webhooks.ParseKinds(*in.Kinds); err != nil {
			return invalid("kinds", err.Error())
		}
	}
	h, err := all.Edit(c.UserContext(), h.ID, func(h *webhooks.Hook) {
		if in.Enabled != nil && *in.Enabled && !h.IsEnabled {
			h.User = host.User(c)
		}
		setIf(&h.URL, in.URL)
		setIf(&h.Description, in.Description)
		setIf(&h.IsEnabled, in.Enabled)
		if in.Kinds != nil {
			h.Kinds = kinds
		}
	})
	if err != nil {
		return err
	}
	return ok(c, viewWebhook(h))
}

// setIf sets a value, unless there is none.
func setIf[T any](at *T, value *T) {
	if value != nil {
		*at = *value
	}
}

// deleteWebhook removes a webhook.
func (a *API) deleteWebhook(c *fiber.Ctx, all *webhooks.Hooks, h webhooks.Hook, _ webhookIn) error {
	if err := all.Delete(c.UserContext(), h.ID); err != nil {
		return err
	}
	return c.SendStatus(http.StatusNoContent)
}

// testedWebhook is what came of a test.
type testedWebhook struct {
	Delivered bool    `json:"delivered"`
	Status    *int    `json:"status" description:"Of the receiver's answer; null: there was none."`
	Problem   string  `json:"problem,omitempty" description:"Why it was not delivered."`
	Seconds   float64 `json:"seconds"`
}

// testWebhook sends a test to a webhook. Whether that worked is in the answer, not in its status.
func (a *API) testWebhook(c *fiber.Ctx, all *webhooks.Hooks, h webhooks.Hook, _ webhookIn) error {
	t, err := all.Test(c.UserContext(), h.ID)
	if err != nil {
		return err
	}
	return ok(c, testedWebhook{t.Delivered, statusOrNil(t.Status), t.Problem, t.Took.Seconds()})
}

func statusOrNil(status int) *int {
	if status == 0 {
		return nil
	}
	return &status
}
