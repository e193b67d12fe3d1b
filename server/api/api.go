// Package api is the native REST face, and the dataset-version routes of seed 000, on top of storage and compare.
//
// Each route is one entry of a table, with the structs of its request and answer: the router and the OpenAPI document
// are both made from it. Errors are problem+json; the mapping from their kinds is in one place, host/problem.go.
package api

import (
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/server/quotas"
	"github.com/rowback/rowback/server/signon"
	"github.com/rowback/rowback/server/sources"
	"github.com/rowback/rowback/server/webhooks"
	"github.com/rowback/rowback/storage"
)

// Options configure the face. The zero value works: no version is reported, and nothing is logged.
type Options struct {
	Version  string
	Log      *slog.Logger
	Audit    *audit.Log         // nil: there is none
	Quotas   *quotas.Quotas     // nil only where Accounts is
	Accounts *accounts.Accounts // nil: users, tokens and projects are not kept
	Webhooks *webhooks.Hooks    // nil: none are sent
	Provider *signon.Provider   // nil without single sign-on
	Engine   *query.Engine      // nil: DuckDB runs all statements
}

// API serves a store. Its handlers hold no state between requests: everything is in the store, so that a restart loses
// nothing.
type API struct {
	store   *storage.Store
	host    *host.Host
	jobs    calls.Jobs
	options Options
	sources sources.Sources // what commits left out
	log     *slog.Logger
	doc     []byte
}

// New returns the face of a store, served by a host.
func New(store *storage.Store, h *host.Host, o Options) (*API, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &API{store: store, host: h, options: o, sources: sources.Of(store), log: o.Log}
	a.jobs = calls.Jobs{Store: store, Log: o.Log, Background: h.Background, Problem: h.Problem}
	var err error
	// Made once: it depends on the routes and the version alone, and a route that can't be described stops the start.
	a.doc, err = a.document()
	return a, err
}

// Mount adds the routes to an application. It answers everything that no earlier face has answered, so it comes last.
func (a *API) Mount(app *fiber.App) {
	app.Use(a.authenticate)
	app.Get("/openapi.json", func(c *fiber.Ctx) error { c.Set("Content-Type", "application/json"); return c.Send(a.doc) })
	app.Use("/docs", a.docsPage())
	for _, r := range a.routes() {
		app.Add(r.method, fiberPath(r.path), host.Operation(r.id), a.admit(r.role), r.handler)
		// Fiber's Get would add HEAD by itself; Add does not.
		if r.method == http.MethodGet {
			app.Head(fiberPath(r.path), host.Operation(r.id), a.admit(r.role), r.handler)
		}
	}
	// Last: it matches every path. Fiber's own 404 and 405 do not name the methods that a path takes.
	app.Use(a.nothingThere)
}

// openPaths are the paths that need no token: they reveal nothing of the data.
var openPaths = []string{"/healthz", "/readyz", "/openapi.json", "/docs", loginPath}

// isOpen reports whether a path needs no token.
func isOpen(path string) bool {
	return slices.ContainsFunc(openPaths, func(o string) bool { return path == o || strings.HasPrefix(path, o+"/") })
}

// authenticate finds out who is asking. If the server has tokens, every path that is not open needs one.
func (a *API) authenticate(c *fiber.Ctx) error {
	if caller, _ := a.host.Identify(c); !caller.IsKnown() && !isOpen(c.Path()) {
		return host.Unknown(c,
			"Authentication required: send the header Authorization: Bearer <token>, or log in again if your session has ended.")
	}
	return c.Next()
}

// admit lets the callers in who may use a route that needs a role. Where the route names datasets, whether the caller
// has the role in their projects is asked when they are looked up.
func (a *API) admit(role access.Role) fiber.Handler {
	return func(c *fiber.Ctx) error {
		caller := host.Caller(c)
		if role == access.Admin {
			if err := permit.CheckAdmin(caller); err != nil {
				return err
			}
		}
		c.SetUserContext(permit.With(c.UserContext(), caller, role))
		return c.Next()
	}
}

// nothingThere answers requests that match no route.
func (a *API) nothingThere(c *fiber.Ctx) error {
	methods := a.methodsAt(c.Path())
	if len(methods) == 0 {
		return fiber.NewError(http.StatusNotFound,
			fmt.Sprintf("There is nothing at %s %s. See /manual/ and /openapi.json for the available routes.",
				c.Method(), c.Path()))
	}
	c.Set("Allow", strings.Join(methods, ", "))
	return fiber.NewError(http.StatusMethodNotAllowed,
		fmt.Sprintf("%s does not take %s. It takes %s.", c.Path(), c.Method(), strings.Join(methods, ", ")))
}

// methodsAt lists the methods of the most literal routes that match a path.
func (a *API) methodsAt(path string) (methods []string) {
	// /datasets/versions matches /datasets/{dataset} too; what a client means is the route with the fewest variables.
	variables := math.MaxInt
	for _, r := range a.routes() {
		if n := strings.Count(r.path, "{"); matches(r.path, path) && n <= variables {
			if n < variables {
				variables, methods = n, nil
			}
			methods = append(methods, r.method)
			if r.method == http.MethodGet {
				methods = append(methods, http.MethodHead)
			}
		}
	}
	return methods
}

// matches reports whether a path matches a route.
func matches(route, path string) bool {
	want, have := strings.Split(route, "/"), strings.Split(strings.TrimSuffix(path, "/"), "/")
	return slices.EqualFunc(want, have, func(w, h string) bool { return w == h || strings.HasPrefix(w, "{") && h != "" })
}

// fiberPath converts a path of the OpenAPI document to Fiber's notation.
func fiberPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}
