// Package crunch is the Shoji face (seed 001): the resources under /api/ that the Python clients pycrunch and scrunch
// use unmodified. What the clients need from an answer was found in their source; fixtures/clients/test_shoji_*.py and
// fixtures/clients/with_scrunch test it with the published clients against a real server.
//
// Documents are Shoji documents: a catalog indexes entities, an entity has a body, a view has a value. URLs in answers
// are absolute. Work that takes longer than the sync limit is answered with 202 and the URL of its progress.
package crunch

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/server/sources"
	"github.com/rowback/rowback/storage"
)

// Options configure the face.
type Options struct {
	SyncTimeout time.Duration // how long a request waits for its work before it is answered with 202
	Log         *slog.Logger  // nil: nowhere
}

// Face serves a store. Uploaded sources are its only state outside the store, and last until the server stops; where
// several servers have the store they are beside its objects.
type Face struct {
	store   *storage.Store
	host    *host.Host
	jobs    calls.Jobs
	options Options
	sources sources.Sources
}

// New returns the face of a store, served by a host.
func New(store *storage.Store, h *host.Host, o Options) *Face {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &Face{store: store, host: h, options: o, sources: sources.Of(store)}
	// A job's error is stored as this face shows errors, since its clients read it from the progress.
	f.jobs = calls.Jobs{Store: store, Log: o.Log, Background: h.Background, Problem: f.problem}
	return f
}

// Mount adds the face's routes to an application. Those of the native face, under /api/v1/, pass through.
func (f *Face) Mount(app *fiber.App) {
	for _, r := range f.routes() {
		app.Add(r.method, r.path, f.admit(r.role), r.handler)
		if r.method == http.MethodGet {
			app.Head(r.path, f.admit(r.role), r.handler)
		}
	}
	// After all routes: what is left under /api is the native face's, or nothing.
	app.Use("/api", f.nothingThere)
}

// Name implements host.ErrorSender.
func (f *Face) Name() string { return "shoji" }

// Owns reports whether a path is this face's.
func (f *Face) Owns(path string) bool { return isIn(path, "/api") && !isNative(path) }

// isNative reports whether a path is the native face's, which is under this face's root.
func isNative(path string) bool { return isIn(path, "/api/v1") }

// isIn reports whether a path is a path or below it.
func isIn(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// admit refuses requests of unknown users to a route that needs a role. Whether the user has it in a dataset's project
// is asked when the dataset is looked up.
func (f *Face) admit(role access.Role) fiber.Handler {
	return func(c *fiber.Ctx) error {
		caller, known := f.host.Identify(c)
		if !known && role != access.Public {
			return host.Unknown(c,
				"Log in first: POST {\"email\", \"password\"} to the login_url, and send the cookie with every request.")
		}
		// These routes have no dry run, and a request that asks for one must not be carried out.
		if c.Method() != http.MethodGet && c.Context().QueryArgs().Has("dry_run") && c.Query("dry_run") != "false" {
			return noEffect("dry_run")
		}
		c.SetUserContext(permit.With(c.UserContext(), caller, role))
		return c.Next()
	}
}

// route is one route of the face. There is no document of these routes: seed 001 and the published clients define them.
type route struct {
	method, path string
	role         access.Role // that a caller needs in the project of every dataset it names
	handler      fiber.Handler
}

const dataset = "/api/datasets/:dataset"

// routes returns every route; each is served with and without a slash at the end.
func (f *Face) routes() []route {
	return []route{
		{"GET", "/api", access.Known, f.root},
		{"POST", "/api/login", access.Public, f.login},
		{"GET", "/api/logout", access.Public, f.logout},
		{"POST", "/api/logout", access.Public, f.logout},
		{"GET", "/api/feature_flag", access.Known, f.featureFlag},
		{"GET", "/api/users/:user", access.Known, f.getUser},
		{"GET", "/api/progress", access.Known, f.progressTemplate},
		{"GET", "/api/progress/:id", access.Known, f.getProgress},
		{"GET", "/api/progress/:id/result", access.Known, f.getResult},
		{"GET", "/api/sources", access.Known, f.listSources},
		{"POST", "/api/sources", access.Known, f.createSource},
		{"GET", "/api/sources/:source", access.Known, f.getSource},
		{"DELETE", "/api/sources/:source", access.Known, f.deleteSource},

		{"GET", "/api/datasets", access.Reader, f.listDatasets},
		{"POST", "/api/datasets", access.Writer, f.createDataset},
		{"GET", "/api/datasets_by_name/:name", access.Reader, f.datasetsByName},
		{"GET", dataset, access.Reader, f.getDataset},
		{"PATCH", dataset, access.Maintainer, f.editDataset},
		{"DELETE", dataset, access.Maintainer, f.deleteDataset},
		{"GET", dataset + "/summary", access.Reader, f.getSummary},
		{"GET", dataset + "/table", access.Reader, f.getTable},
		{"POST", dataset + "/table", access.Writer, f.runCommand},
		{"GET", dataset + "/pk", access.Reader, f.getKey},
		{"DELETE", dataset + "/pk", access.Maintainer, f.deleteKey},
		{"GET", dataset + "/exclusion", access.Reader, f.getExclusion},
		{"PATCH", dataset + "/exclusion", access.Maintainer, f.editExclusion},

		{"GET", dataset + "/actions", access.Reader, f.listActions},
		{"POST", dataset + "/actions", access.Writer, f.merge},
		{"GET", dataset + "/actions/since_forking", access.Reader, f.sinceForking},
		{"GET", dataset + "/actions/upstream_delta", access.Reader, f.upstreamDelta},
		{"GET", dataset + "/actions/:action", access.Reader, f.getAction},

		{"GET", dataset + "/savepoints", access.Reader, f.listSavepoints},
		{"POST", dataset + "/savepoints", access.Writer, f.createSavepoint},
		{"GET", dataset + "/savepoints/:savepoint", access.Reader, f.getSavepoint},
		{"PATCH", dataset + "/savepoints/:savepoint", access.Writer, f.editSavepoint},
		{"GET", dataset + "/savepoints/:savepoint/revert", access.Reader, f.askRevert},
		{"POST", dataset + "/savepoints/:savepoint/revert", access.Maintainer, f.revert},

		{"GET", dataset + "/forks", access.Reader, f.listForks},
		{"POST", dataset + "/forks", access.Reader, f.createFork},

		{"GET", dataset + "/variables", access.Reader, f.listVariables},
		{"POST", dataset + "/variables", access.Maintainer, f.createVariable},
		{"GET", dataset + "/variables/:variable", access.Reader, f.getVariable},
		{"PATCH", dataset + "/variables/:variable", access.Maintainer, f.editVariable},
		{"DELETE", dataset + "/variables/:variable", access.Maintainer, f.deleteVariable},
		{"GET", dataset + "/variables/:variable/values", access.Reader, f.getValues},
		{"GET", dataset + "/variables/:variable/summary", access.Reader, f.getVariableSummary},
		{"GET", dataset + "/variables/:variable/cast", access.Reader, f.askCast},
		{"POST", dataset + "/variables/:variable/cast", access.Maintainer, f.cast},
		{"GET", dataset + "/folders", access.Reader, f.getFolders},
		{"GET", dataset + "/folders/public", access.Reader, f.getPublicFolder},

		{"GET", dataset + "/batches", access.Reader, f.listBatches},
		{"POST", dataset + "/batches", access.Writer, f.createBatch},
		{"GET", dataset + "/batches/:batch", access.Reader, f.getBatch},
	}
}

// nothingThere answers requests that match no route.
func (f *Face) nothingThere(c *fiber.Ctx) error {
	if isNative(c.Path()) {
		return c.Next()
	}
	var methods []string
	for _, r := range f.routes() {
		if fiber.RoutePatternMatch(strings.TrimSuffix(c.Path(), "/"), r.path) {
			methods = append(methods, r.method)
		}
	}
	if len(methods) == 0 {
		return fiber.NewError(http.StatusNotFound, fmt.Sprintf("There is nothing at %s.", c.Path()))
	}
	c.Set("Allow", strings.Join(methods, ", "))
	return fiber.NewError(http.StatusMethodNotAllowed,
		fmt.Sprintf("%s does not take %s. It takes %s.", c.Path(), c.Method(), strings.Join(methods, ", ")))
}
