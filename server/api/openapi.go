package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"rowback/server/calls"
	"rowback/server/host"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/swaggest/openapi-go"
	"github.com/swaggest/openapi-go/openapi31"
	"github.com/swaggest/swgui/v5emb"
)

// route is one call: its path, its request and answer, and its handler. The table of routes is the only place where a
// call is described: the router, the document and the list of methods in a 405 are made from it.
type route struct {
	method, path string
	id, summary  string
	tag          string
	in           any      // struct with tags path, query, header and json; nil: nothing
	body         []string // media types of a body that in does not describe
	status       int      // of success
	also         int      // another one; 0: none
	out          any      // what the answer's JSON is; nil: no body
	media        []string // media types of an answer that out does not describe
	problems     []int    // further statuses; 500 and 503 are added everywhere
	handler      fiber.Handler
}

// Problem and Answer are named after this package in the document, whichever package defines them, so that generated
// clients keep their names.
type (
	Problem host.Problem
	Answer  calls.Answer
)

// bearer is the document's name for the way tokens are sent.
const bearer = "bearer"

// document returns the OpenAPI 3.1 document of the routes.
func (a *API) document() ([]byte, error) {
	r := openapi31.NewReflector()
	r.Spec.Info.WithTitle("Rowback").WithVersion(a.options.Version).
		WithDescription("A versioning server for tabular datasets on Parquet. " +
			"{dataset} is an id, or a name with ?project_id= (default 1). " +
			"Every POST takes an Idempotency-Key; every write takes dry_run, and Prefer: respond-async where it may " +
			"take long; every write but editSavepoint and deleteBackup takes expected_head.")
	r.Spec.SetHTTPBearerTokenSecurity(bearer, "", "If the server has tokens (--token).")
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

// describe adds a route to the document. Parameters and bodies come from the tags of its structs; what tags can't say
// (other media types, the second status, dry runs, 202, errors) is added here.
func describe(r *openapi31.Reflector, rt route) error {
	op, err := r.NewOperationContext(rt.method, rt.path)
	if err != nil {
		return err
	}
	op.SetID(rt.id)
	op.SetSummary(rt.summary)
	op.SetTags(rt.tag)
	if !isOpen(rt.path) {
		op.AddSecurity(bearer)
	}
	if rt.in != nil {
		op.AddReqStructure(rt.in)
	}
	for _, media := range rt.body {
		op.AddReqStructure(bodyOfMedia(media), openapi.WithContentType(media))
	}
	if rt.out == nil && len(rt.media) == 0 {
		op.AddRespStructure(nil, openapi.WithHTTPStatus(rt.status))
	}
	if rt.out != nil {
		op.AddRespStructure(reflect.New(reflect.TypeOf(rt.out)).Interface(), openapi.WithHTTPStatus(rt.status))
	}
	if rt.also != 0 && rt.out != nil {
		op.AddRespStructure(reflect.New(reflect.TypeOf(rt.out)).Interface(), openapi.WithHTTPStatus(rt.also))
	}
	for _, media := range rt.media {
		op.AddRespStructure("", openapi.WithHTTPStatus(rt.status), openapi.WithContentType(media))
		if rt.also != 0 {
			op.AddRespStructure("", openapi.WithHTTPStatus(rt.also), openapi.WithContentType(media))
		}
	}
	// A dry run always answers 200, which is a status of its own where the call answers 201 or 204.
	if has(rt.in, "DryRun") && rt.status != http.StatusOK && rt.also != http.StatusOK {
		op.AddRespStructure(dryOut(rt), openapi.WithHTTPStatus(http.StatusOK))
	}
	if has(rt.in, "Prefer") {
		op.AddRespStructure(new(progress), openapi.WithHTTPStatus(http.StatusAccepted))
	}
	for _, status := range rt.allProblems() {
		op.AddRespStructure(new(Problem), openapi.WithHTTPStatus(status), openapi.WithContentType("application/problem+json"))
	}
	return r.AddOperation(op)
}

// bodyOfMedia describes a body of records: an array of objects in JSON, otherwise bytes.
func bodyOfMedia(media string) any {
	if media == "application/json" {
		return []map[string]any{}
	}
	return nil
}

// dryOut describes the answer to a dry run: that of the call, if it has one.
func dryOut(rt route) any {
	if rt.out == nil {
		return new(previewed)
	}
	return reflect.New(reflect.TypeOf(rt.out)).Interface()
}

// has reports whether a request has a field, in a struct that it embeds too.
func has(in any, field string) bool {
	if in == nil || reflect.TypeOf(in).Kind() != reflect.Struct {
		return false
	}
	_, ok := reflect.TypeOf(in).FieldByName(field)
	return ok
}

// allProblems returns the route's problems and those that any route may have.
func (rt route) allProblems() []int {
	// 403 on open paths too: it is the answer to foreign hosts and pages.
	out := append(slices.Clone(rt.problems), http.StatusForbidden)
	if !isOpen(rt.path) {
		out = append(out, http.StatusUnauthorized, http.StatusInternalServerError)
	}
	if !slices.Contains(out, http.StatusServiceUnavailable) {
		out = append(out, http.StatusServiceUnavailable)
	}
	return out
}

// docsPage shows the document.
func (a *API) docsPage() fiber.Handler {
	// The page and its scripts are embedded: the documentation works without a network.
	page := adaptor.HTTPHandler(v5emb.New("Rowback", "/openapi.json", "/docs/"))
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
