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

	"rowback/server/calls"
	"rowback/server/host"
	"rowback/storage"
)

// Options configure the face.
type Options struct {
	SyncTimeout time.Duration // how long a request waits for its work before it is answered with 202
	Log         *slog.Logger  // nil: nowhere
}

// Face serves a store. Uploaded sources are its only state outside the store, and last until the server stops.
type Face struct {
	store   *storage.Store
	host    *host.Host
	jobs    calls.Jobs
	options Options
	sources *sources
}

// New returns the face of a store, served by a host.
func New(store *storage.Store, h *host.Host, o Options) *Face {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &Face{store: store, host: h, options: o, sources: newSources()}
	// A job's error is stored as this face shows errors, since its clients read it from the progress.
	f.jobs = calls.Jobs{Store: store, Log: o.Log, Background: h.Background, Problem: f.problem}
	return f
}

// Mount adds the face's routes to an application. Those of the native face, under /api/v1/, pass through.
func (f *Face) Mount(app *fiber.App) {
	for _, r := range f.routes() {
		app.Add(r.method, r.path, f.admit, r.handler)
		if r.method == http.MethodGet {
			app.Head(r.path, f.admit, r.handler)
		}
	}
	// After all routes: what is left under /api is the native face's, or nothing.
	app.Use("/api", f.nothingThere)
}

// Owns reports whether a path is this face's.
func (f *Face) Owns(path string) bool { return isIn(path, "/api") && !isNative(path) }

// isNative reports whether a path is the native face's, which is under this face's root.
func isNative(path string) bool { return isIn(path, "/api/v1") }

// isIn reports whether a path is a path or below it.
func isIn(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// admit refuses requests of unknown users.
func (f *Face) admit(c *fiber.Ctx) error {
	if _, known := f.host.Identify(c); !known && !isOpen(c.Path()) {
		return fiber.NewError(http.StatusUnauthorized,
			"Log in first: POST {\"email\", \"password\"} to the login_url, and send the cookie with every request.")
	}
	// These routes have no dry run, and a request that asks for one must not be carried out.
	if c.Method() != http.MethodGet && c.Context().QueryArgs().Has("dry_run") && c.Query("dry_run") != "false" {
		return noEffect("dry_run")
	}
	return c.Next()
}

// isOpen reports whether a path needs no login.
func isOpen(path string) bool {
	path = strings.TrimSuffix(path, "/")
	return path == "/api/login" || path == "/api/logout"
}

// route is one route of the face. There is no document of these routes: seed 001 and the published clients define them.
type route struct {
	method, path string
	handler      fiber.Handler
}

const dataset = "/api/datasets/:dataset"

// routes returns every route; each is served with and without a slash at the end.
func (f *Face) routes() []route {
	return []route{
		{"GET", "/api", f.root},
		{"POST", "/api/login", f.login},
		{"GET", "/api/logout", f.logout},
		{"POST", "/api/logout", f.logout},
		{"GET", "/api/feature_flag", f.featureFlag},
		{"GET", "/api/users/:user", f.getUser},
		{"GET", "/api/progress", f.progressTemplate},
		{"GET", "/api/progress/:id", f.getProgress},
		{"GET", "/api/progress/:id/result", f.getResult},
		{"GET", "/api/sources", f.listSources},
		{"POST", "/api/sources", f.createSource},
		{"GET", "/api/sources/:source", f.getSource},
		{"DELETE", "/api/sources/:source", f.deleteSource},

		{"GET", "/api/datasets", f.listDatasets},
		{"POST", "/api/datasets", f.createDataset},
		{"GET", "/api/datasets_by_name/:name", f.datasetsByName},
		{"GET", dataset, f.getDataset},
		{"PATCH", dataset, f.editDataset},
		{"DELETE", dataset, f.deleteDataset},
		{"GET", dataset + "/summary", f.getSummary},
		{"GET", dataset + "/table", f.getTable},
		{"POST", dataset + "/table", f.runCommand},
		{"GET", dataset + "/pk", f.getKey},
		{"DELETE", dataset + "/pk", f.deleteKey},
		{"GET", dataset + "/exclusion", f.getExclusion},
		{"PATCH", dataset + "/exclusion", f.editExclusion},

		{"GET", dataset + "/actions", f.listActions},
		{"POST", dataset + "/actions", f.merge},
		{"GET", dataset + "/actions/since_forking", f.sinceForking},
		{"GET", dataset + "/actions/upstream_delta", f.upstreamDelta},
		{"GET", dataset + "/actions/:action", f.getAction},

		{"GET", dataset + "/savepoints", f.listSavepoints},
		{"POST", dataset + "/savepoints", f.createSavepoint},
		{"GET", dataset + "/savepoints/:savepoint", f.getSavepoint},
		{"PATCH", dataset + "/savepoints/:savepoint", f.editSavepoint},
		{"GET", dataset + "/savepoints/:savepoint/revert", f.askRevert},
		{"POST", dataset + "/savepoints/:savepoint/revert", f.revert},

		{"GET", dataset + "/forks", f.listForks},
		{"POST", dataset + "/forks", f.createFork},

		{"GET", dataset + "/variables", f.listVariables},
		{"POST", dataset + "/variables", f.createVariable},
		{"GET", dataset + "/variables/:variable", f.getVariable},
		{"PATCH", dataset + "/variables/:variable", f.editVariable},
		{"DELETE", dataset + "/variables/:variable", f.deleteVariable},
		{"GET", dataset + "/variables/:variable/values", f.getValues},
		{"GET", dataset + "/variables/:variable/summary", f.getVariableSummary},
		{"GET", dataset + "/variables/:variable/cast", f.askCast},
		{"POST", dataset + "/variables/:variable/cast", f.cast},
		{"GET", dataset + "/folders", f.getFolders},
		{"GET", dataset + "/folders/public", f.getPublicFolder},

		{"GET", dataset + "/batches", f.listBatches},
		{"POST", dataset + "/batches", f.createBatch},
		{"GET", dataset + "/batches/:batch", f.getBatch},
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
