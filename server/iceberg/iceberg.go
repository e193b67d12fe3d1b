// Package iceberg is the face of an Apache Iceberg REST catalog, under /iceberg/v1/, for engines that read tables where
// they are stored. A project is a namespace, a dataset a table, versions, savepoints and tags are tags, and commits are
// snapshots. It only reads: what writes is refused with what to do instead. Which files a table has, and what engines
// need beside them, is storage's (storage/published.go). The catalog's own document defines the routes and answers:
// open-api/rest-catalog-open-api.yaml of github.com/apache/iceberg. fixtures/clients/test_iceberg.py drives it with the
// published clients.
package iceberg

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage"
)

const root = "/iceberg"

// Projects are the projects that have names.
type Projects interface {
	Projects(ctx context.Context) ([]accounts.Project, error)
}

// Options configure the face.
type Options struct {
	Projects Projects // nil: none has a name
}

// Face serves a store.
type Face struct {
	store   *storage.Store
	host    *host.Host
	options Options
}

// New returns the face of a store, served by a host.
func New(store *storage.Store, h *host.Host, o Options) *Face {
	return &Face{store: store, host: h, options: o}
}

// Mount adds the face's routes to an application.
func (f *Face) Mount(app *fiber.App) {
	for _, r := range f.routes() {
		app.Add(r.method, r.path, f.admit(r.role), r.handler)
		if r.method == http.MethodGet {
			app.Head(r.path, f.admit(r.role), r.handler)
		}
	}
	app.Use(root, f.admit(access.Known), f.nothingElse)
}

// Name implements host.ErrorSender.
func (f *Face) Name() string { return "iceberg" }

// Owns reports whether a path is this face's.
func (f *Face) Owns(path string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// admit refuses requests of unknown users to a route that needs a role. Whether the user has it in a project is asked
// when a dataset of it is looked up.
func (f *Face) admit(role access.Role) fiber.Handler {
	return func(c *fiber.Ctx) error {
		caller, _ := f.host.Identify(c)
		if !caller.IsKnown() && role != access.Public {
			return host.Unknown(c, "Send an API token as a Bearer token, or as the client_secret of "+
				"OAuth2 client credentials to "+root+"/v1/oauth/tokens.")
		}
		c.SetUserContext(permit.With(c.UserContext(), caller, role))
		return c.Next()
	}
}

// route is one route of the face. template is its path as the catalog's document has it; empty: clients are not told
// of it.
type route struct {
	method, path string
	role         access.Role
	handler      fiber.Handler
	template     string
}

const (
	namespacePath = root + "/v1/namespaces/:namespace"
	tablePath     = namespacePath + "/tables/:table"
)

// routes returns every route.
func (f *Face) routes() []route {
	return []route{
		{"GET", root + "/v1/config", access.Known, f.config, ""},
		{"POST", root + "/v1/oauth/tokens", access.Public, f.token, ""},
		{"GET", root + "/v1/namespaces", access.Known, f.listNamespaces, "/v1/{prefix}/namespaces"},
		{"GET", namespacePath, access.Reader, f.getNamespace, "/v1/{prefix}/namespaces/{namespace}"},
		{"GET", namespacePath + "/tables", access.Reader, f.listTables, "/v1/{prefix}/namespaces/{namespace}/tables"},
		{"GET", tablePath, access.Reader, f.loadTable, "/v1/{prefix}/namespaces/{namespace}/tables/{table}"},
	}
}

// config tells clients what the catalog can do.
func (f *Face) config(c *fiber.Ctx) error {
	endpoints := []string{}
	for _, r := range f.routes() {
		if r.template == "" {
			continue
		}
		endpoints = append(endpoints, r.method+" "+r.template)
		if strings.HasSuffix(r.path, ":namespace") || strings.HasSuffix(r.path, ":table") {
			endpoints = append(endpoints, "HEAD "+r.template)
		}
	}
	return show(c, map[string]any{"defaults": map[string]string{}, "overrides": map[string]string{}, "endpoints": endpoints})
}

// show answers with JSON.
func show(c *fiber.Ctx, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	c.Set("Content-Type", "application/json")
	c.Set("Cache-Control", "no-store")
	return c.Send(text)
}

// namespace is a project.
type namespace struct {
	id   int64
	name string // its name, or else its number
}

// namespaces returns the projects that the caller sees and that have a name or datasets, by id.
func (f *Face) namespaces(c *fiber.Ctx) ([]namespace, error) {
	counts, err := f.store.CountDatasets(c.UserContext())
	if err != nil {
		return nil, err
	}
	names := map[int64]string{}
	for id := range counts {
		names[id] = strconv.FormatInt(id, 10)
	}
	if f.options.Projects != nil {
		named, err := f.options.Projects.Projects(c.UserContext())
		if err != nil {
			return nil, err
		}
		for _, p := range named {
			names[p.ID] = p.Name
		}
	}
	var out []namespace
	for id, name := range names {
		if host.Caller(c).Role(id) > access.None {
			out = append(out, namespace{id, name})
		}
	}
	slices.SortFunc(out, func(a, b namespace) int { return cmp.Compare(a.id, b.id) })
	return out, nil
}

// named returns the project that a request names, by its name or its number. One that the caller does not see is
// refused as if there were none.
func (f *Face) named(c *fiber.Ctx) (namespace, error) {
	name, err := param(c, "namespace")
	if err != nil {
		return namespace{}, err
	}
	all, err := f.namespaces(c)
	if err != nil {
		return namespace{}, err
	}
	for _, n := range all {
		if n.name == name || strconv.FormatInt(n.id, 10) == name {
			return n, permit.Check(host.Caller(c), n.id, access.Reader)
		}
	}
	return namespace{}, noNamespace(name)
}

// param returns a part of the path, unescaped and copied.
func param(c *fiber.Ctx, name string) (string, error) {
	text, err := url.PathUnescape(c.Params(name))
	if err != nil {
		return "", fiber.NewError(http.StatusBadRequest, "The "+name+" in the path is not escaped as a URL has it.")
	}
	if !isText(text) {
		return "", fiber.NewError(http.StatusBadRequest, "The "+name+" in the path is not text in UTF-8.")
	}
	return strings.Clone(text), nil
}

// isText reports whether a database can be asked for a text.
func isText(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// listNamespaces lists projects. There are none within others.
func (f *Face) listNamespaces(c *fiber.Ctx) error {
	all, err := f.namespaces(c)
	if err != nil {
		return err
	}
	list := [][]string{}
	for _, n := range all {
		if c.Query("parent") == "" {
			list = append(list, []string{n.name})
		}
	}
	return show(c, map[string]any{"namespaces": list})
}

// getNamespace shows a project.
func (f *Face) getNamespace(c *fiber.Ctx) error {
	n, err := f.named(c)
	if err != nil {
		return err
	}
	return show(c, map[string]any{
		"namespace":  []string{n.name},
		"properties": map[string]string{"rowback.project-id": strconv.FormatInt(n.id, 10)},
	})
}
