package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/swaggest/openapi-go/openapi31"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
)

// route is one call: its path, its request and answer, and its handler. The table of routes is the only place where a
// call is described: the router, the document and the list of methods in a 405 are made from it.
type route struct {
	method, path string
	id, summary  string
	tag          string
	role         access.Role // that a caller needs in the project of every dataset it names; Public: no token
	in           any         // struct with tags path, query, header and json; nil: nothing
	body         []string    // media types of a body that in does not describe
	status       int         // of success
	also         int         // another one; 0: none
	out          any         // what the answer's JSON is; nil: no body
	media        []string    // media types of an answer that out does not describe
	problems     []int       // further statuses; 500 and 503 are added everywhere
	handler      fiber.Handler
}

// Problem and Answer are named after this package in the document, whichever package defines them, so that generated
// clients keep their names.
type (
	Problem struct {
		host.Problem
		_ struct{} `additionalProperties:"true"` // what an error tells beside the fields that all have
	}
	Answer calls.Answer
)

// document returns the OpenAPI 3.1 document of the routes.
func (a *API) document() ([]byte, error) {
	r := openapi31.NewReflector()
	r.DefaultOptions = append(r.DefaultOptions, reflectSchemas)
	r.Spec.Info.WithTitle("Rowback").WithVersion(a.options.Version).
		WithDescription("A versioning server for tabular datasets on Parquet. " +
			"{dataset} is an id, or a name with ?project_id= (default 1). " +
			"project_id of a request may be the name of a project too. " +
			"Of datasets, every POST takes an Idempotency-Key; every write takes dry_run and expected_head, and " +
			"Prefer: respond-async where it may take long.")
	r.Spec.SetHTTPBearerTokenSecurity(bearer, "", "If the server has tokens.")
	for _, rt := range a.routes() {
		if err := describe(r, rt); err != nil {
			return nil, err
		}
	}
	text, err := json.MarshalIndent(r.Spec, "", "  ")
	if err != nil {
		return nil, err
	}
	return filled(text)
}

// docsHead and docsHeader give the documentation the colours of the other pages, and their header, which leads back.
const (
	docsHead = `<script src="/theme.js"></script><link rel="stylesheet" href="/manual/tokens.css">
<link rel="stylesheet" href="/manual/header.css"><link rel="stylesheet" href="/manual/docs.css">`

	docsHeader = `<header class="site"><a class="brand" href="/#main"><img src="/favicon.svg" alt="" width="20" height="20">
Rowback</a><nav aria-label="Main"><a href="/#main">Datasets</a><a href="/sql#main">SQL</a><a href="/admin#main">Administration</a>
<a href="/manual/guide">Manual</a><a href="/docs/" aria-current="page">API</a></nav></header>`
)

// docsPage shows the document.
func (a *API) docsPage() fiber.Handler {
	// The page and its scripts are embedded: the documentation works without a network.
	page := adaptor.HTTPHandler(v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "Rowback", SwaggerJSON: "/openapi.json", BasePath: "/docs/", AppendHead: docsHead, PrependHTML: docsHeader,
	}))
	return func(c *fiber.Ctx) error {
		if c.Path() == "/docs" {
			return c.Redirect("/docs/", http.StatusFound)
		}
		err := page(c)
		// The host's default policy runs no scripts at all, so this page brings its own.
		if strings.HasPrefix(string(c.Response().Header.ContentType()), "text/html") {
			c.Set("Content-Security-Policy", docsPolicy(c.Response().Body()))
		}
		return err
	}
}

// inline matches the scripts within a page.
var inline = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

// docsPolicy lets a page of the documentation load its own files, run its inline scripts, by their
// hashes, and send requests to this server. Its styles are set by its scripts.
func docsPolicy(page []byte) string {
	scripts := "script-src 'self'"
	for _, found := range inline.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(found[1])
		scripts += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; " + scripts +
		"; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; " +
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
