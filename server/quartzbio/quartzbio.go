// Package quartzbio is the face of the QuartzBio EDP API (seed 003): the resources under /v1/user and /v2/ that its
// Python client uses unmodified. Vaults are projects, folders are prefixes of datasets' names, commits are commits;
// server/web/manual/quartzbio.md has what is mapped how, and what is refused. What the client needs from an answer was
// found in its source and in recorded answers of the service; fixtures/clients/test_quartzbio.py drives it with the
// published client against a real server.
//
// What this face keeps beside the store is in one table of the settings: folders that are empty, files' names, and the
// parameters of imports, exports and migrations (entries.go). Whatever is not supported is refused by name.
package quartzbio

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/server/sources"
	"github.com/rowback/rowback/storage"
)

// Projects are the projects that have names.
type Projects interface {
	Projects(ctx context.Context) ([]accounts.Project, error)
	CreateProject(ctx context.Context, p accounts.Project, least int64) (accounts.Project, error)
	EditProject(ctx context.Context, id int64, e accounts.ProjectEdit) (accounts.Project, error)
}

// Options configure the face.
type Options struct {
	Projects    Projects
	Settings    *settings.DB
	SyncTimeout time.Duration // how long a request waits for its work before the answer says that it is running
	Log         *slog.Logger  // nil: nowhere
}

// Face serves a store.
type Face struct {
	store   *storage.Store
	host    *host.Host
	jobs    calls.Jobs
	options Options
	entries entries
	sources sources.Sources
	signer  signer
}

// New returns the face of a store, served by a host.
func New(store *storage.Store, h *host.Host, o Options) *Face {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &Face{store: store, host: h, options: o, entries: entries{o.Settings}, sources: sources.Of(store)}
	f.signer = signer{entries: f.entries, now: time.Now}
	f.jobs = calls.Jobs{Store: store, Log: o.Log, Background: h.Background, Problem: f.problem}
	return f
}

// Mount adds the face's routes to an application.
func (f *Face) Mount(app *fiber.App) {
	for _, r := range f.routes() {
		app.Add(r.method, r.path, f.admit(r.role), r.handler)
		if r.method == http.MethodGet {
			app.Head(r.path, f.admit(r.role), r.handler)
		}
	}
	app.Use(root, f.admit(access.Known), nothingThere)
	app.Use(olderRoot, f.admit(access.Known), nothingThere)
}

// Name implements host.ErrorSender.
func (f *Face) Name() string { return "quartzbio" }

// The paths of the face.
const (
	root      = "/v2"
	olderRoot = "/v1"
	userPath  = olderRoot + "/user"
)

// Owns reports whether a path is this face's.
func (f *Face) Owns(path string) bool {
	return path == root || path == olderRoot || strings.HasPrefix(path, root+"/") || strings.HasPrefix(path, olderRoot+"/")
}

// admit refuses requests of unknown users to a route that needs a role. Whether the user has it in a dataset's project
// is asked when the dataset is looked up.
func (f *Face) admit(role access.Role) fiber.Handler {
	return func(c *fiber.Ctx) error {
		caller, known := f.host.Identify(c)
		if !known && role != access.Public {
			return host.Unknown(c, "Send an API token as a Bearer token: "+
				"quartzbio.login(api_host=…, access_token=\"rb_…\").")
		}
		// These routes have no dry run, and a request that asks for one must not be carried out.
		if c.Method() != http.MethodGet && c.Context().QueryArgs().Has("dry_run") && c.Query("dry_run") != "false" {
			return refused("dry_run", "is not supported here. The same is at /api/v1/, where it is")
		}
		if c.Get("Idempotency-Key") != "" {
			return refused("Idempotency-Key", "is not supported here. The same is at /api/v1/, where it is")
		}
		c.SetUserContext(permit.With(c.UserContext(), caller, role))
		return c.Next()
	}
}

// route is one route of the face. The client's own documentation defines them.
type route struct {
	method, path string
	role         access.Role // that a caller needs in the project of every dataset it names
	handler      fiber.Handler
}

// Paths of resources.
const (
	vaultPath     = root + "/vaults/:vault"
	objectPath    = root + "/objects/:object"
	datasetPath   = root + "/datasets/:dataset"
	fieldPath     = root + "/dataset_fields/:field"
	commitPath    = root + "/dataset_commits/:commit"
	importPath    = root + "/dataset_imports/:import"
	exportPath    = root + "/dataset_exports/:export"
	migrationPath = root + "/dataset_migrations/:migration"
)

// routes returns every route. The client updates by PATCH, and others of the service's by PUT.
func (f *Face) routes() []route {
	return []route{
		{"GET", userPath, access.Known, f.getUser},

		{"GET", root + "/vaults", access.Known, f.listVaults},
		{"POST", root + "/vaults", access.Admin, f.createVault},
		{"GET", vaultPath, access.Reader, f.getVault},
		{"PATCH", vaultPath, access.Admin, f.editVault},
		{"PUT", vaultPath, access.Admin, f.editVault},

		{"GET", root + "/objects", access.Known, f.listObjects},
		{"POST", root + "/objects", access.Writer, f.createObject},
		{"GET", objectPath, access.Reader, f.getObject},
		// Of a dataset these need a maintainer: a writer may clear away files and empty folders.
		{"PATCH", objectPath, access.Writer, f.editObject},
		{"PUT", objectPath, access.Writer, f.editObject},
		{"DELETE", objectPath, access.Writer, f.deleteObject},
		{"GET", objectPath + "/download", access.Reader, f.downloadFile},

		{"GET", datasetPath, access.Reader, f.getDataset},
		{"PATCH", datasetPath, access.Maintainer, f.editDataset},
		{"PUT", datasetPath, access.Maintainer, f.editDataset},
		{"DELETE", datasetPath, access.Maintainer, f.deleteDataset},
		{"POST", datasetPath + "/data", access.Reader, f.queryDataset},
		{"GET", datasetPath + "/data/:ids", access.Reader, f.lookUp},
		{"GET", datasetPath + "/fields", access.Reader, f.listFields},
		{"GET", datasetPath + "/template", access.Reader, f.getTemplate},
		{"GET", datasetPath + "/commits", access.Reader, f.listCommits},
		{"GET", datasetPath + "/imports", access.Reader, f.listOf(importKind)},
		{"GET", datasetPath + "/exports", access.Reader, f.listOf(exportKind)},
		{"GET", datasetPath + "/migrations", access.Reader, f.listOf(migrationKind)},
		{"POST", root + "/batch_query", access.Reader, f.batchQuery},

		{"POST", root + "/dataset_fields", access.Maintainer, f.createField},
		{"GET", fieldPath, access.Reader, f.getField},
		{"PATCH", fieldPath, access.Maintainer, f.editField},
		{"PUT", fieldPath, access.Maintainer, f.editField},
		{"DELETE", fieldPath, access.Maintainer, f.deleteField},
		{"GET", fieldPath + "/facets", access.Reader, f.getFieldFacets},

		{"GET", commitPath, access.Reader, f.getCommit},
		{"GET", commitPath + "/rollback", access.Reader, f.askRollback},
		{"POST", commitPath + "/rollback", access.Writer, f.rollBack},

		{"POST", root + "/dataset_imports", access.Writer, f.createImport},
		{"GET", importPath, access.Reader, f.getWork(importKind)},
		{"POST", root + "/dataset_migrations", access.Writer, f.createMigration},
		{"GET", migrationPath, access.Reader, f.getWork(migrationKind)},
		{"POST", root + "/dataset_exports", access.Reader, f.createExport},
		{"GET", exportPath, access.Reader, f.getWork(exportKind)},
		{"GET", exportPath + "/download", access.Reader, f.downloadExport},
		{"GET", root + "/tasks", access.Known, f.listTasks},
		{"GET", root + "/tasks/:task", access.Reader, f.getTask},

		// Signed: whoever has the URL may use it until it expires.
		{"PUT", uploadsPath + "/:file", access.Public, f.receiveFile},
		{"GET", downloadsPath + "/:of", access.Public, f.sendDownload},
	}
}

// unsupported are resources of the service that this server does not have, and what to do instead.
var unsupported = map[string]string{
	"annotate": "", "applications": "", "beacons": "", "beacon_sets": "", "groups": "", "object_copy_tasks": "",
	"vault_sync_tasks": "", "search": "", "datasets": "List datasets as objects: Object.all(object_type=\"dataset\").",
	"dataset_restore_tasks":  "Datasets are always available.",
	"dataset_snapshot_tasks": "Every commit is a snapshot already.",
	"dataset_templates":      "Give the fields with the dataset: create_dataset(…, fields=[…]).",
	"evaluate":               "Expressions are evaluated where target_fields are given.",
	"saved_queries":          "",
	"complete_multi_part":    "A file is uploaded with one request.",
	"presigned_urls":         "A file is uploaded with one request.",
}

// nothingThere answers requests that match no route.
func nothingThere(c *fiber.Ctx) error {
	name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(c.Path(), root+"/"), olderRoot+"/"), "/")
	instead, known := unsupported[name]
	if known || strings.Contains(c.Path(), "/beacon") || strings.HasSuffix(c.Path(), "/versions") {
		return &host.Refusal{Status: http.StatusNotImplemented, Code: "not_supported",
			Detail: strings.TrimSpace(fmt.Sprintf("%s %s is not supported by this server. %s", c.Method(), c.Path(), instead))}
	}
	return fiber.NewError(http.StatusNotFound, fmt.Sprintf("There is nothing at %s %s.", c.Method(), c.Path()))
}
