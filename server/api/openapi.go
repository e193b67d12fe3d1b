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

// route is one call: its path, its request and answer, and its handler.
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

// anySuccess stands for 2XX in the document. Dry runs are described by it, although their status is 200: generators
// take the answer with the lowest number as what a call returns, and 200 would come before 201.
const anySuccess = 2

func dryRunAnswer(u *openapi.ContentUnit) {
	u.Description = "Of a dry run, whose status is 200: what the call would answer, without ids yet to be given, and these."
}

// bearer is the document's name for the way tokens are sent.
const bearer = "bearer"

// document returns the OpenAPI 3.1 document of the routes.
func (a *API) document() ([]byte, error) {
	r := openapi31.NewReflector()
	r.DefaultOptions = append(r.DefaultOptions, reflectSchemas)
	r.Spec.Info.WithTitle("Rowback").WithVersion(a.options.Version).
		WithDescription("A versioning server for tabular datasets on Parquet. " +
			"{dataset} is an id, or a name with ?project_id= (default 1). " +
			"Every POST takes an Idempotency-Key; every write takes dry_run and expected_head, and Prefer: respond-async " +
			"where it may take long.")
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
		op.AddReqStructure(rt.in, rt.required())
	}
	for _, media := range rt.body {
		op.AddReqStructure(bodyOfMedia(media), openapi.WithContentType(media), formatOfMedia(media), rt.required())
	}
	if rt.out == nil && len(rt.media) == 0 {
		op.AddRespStructure(nil, openapi.WithHTTPStatus(rt.status))
	}
	if rt.out != nil {
		for _, status := range rt.successes() {
			op.AddRespStructure(reflect.New(reflect.TypeOf(rt.out)).Interface(), openapi.WithHTTPStatus(status))
		}
	}
	for _, media := range rt.media {
		for _, status := range rt.successes() {
			op.AddRespStructure(bodyOfMedia(media), openapi.WithHTTPStatus(status), openapi.WithContentType(media),
				formatOfMedia(media))
		}
	}
	if has(rt.in, "DryRun") && !slices.Contains(rt.successes(), http.StatusOK) {
		op.AddRespStructure(new(previewed), openapi.WithHTTPStatus(anySuccess), dryRunAnswer)
	}
	if has(rt.in, "Prefer") {
		op.AddRespStructure(new(progress), openapi.WithHTTPStatus(http.StatusAccepted))
	}
	for _, status := range rt.allProblems() {
		op.AddRespStructure(new(Problem), openapi.WithHTTPStatus(status), openapi.WithContentType("application/problem+json"))
	}
	return r.AddOperation(op)
}

// required says of a body that no request can do without it: it has members that are required, or nothing else, such as
// a condition, can take its place.
func (rt route) required() openapi.ContentOption {
	isRequired := len(rt.body) > 0 && !has(rt.in, "Where") || hasRequired(reflect.TypeOf(rt.in))
	return openapi.WithCustomize(func(body openapi.ContentOrReference) {
		if b, ok := body.(*openapi31.RequestBodyOrReference); ok && b != nil && isRequired {
			b.RequestBodyEns().WithRequired(true)
		}
	})
}

// hasRequired reports whether a member of a request's JSON body is required.
func hasRequired(t reflect.Type) bool {
	return t != nil && t.Kind() == reflect.Struct && slices.ContainsFunc(fieldsOf(t), func(f reflect.StructField) bool {
		if f.Anonymous {
			return hasRequired(f.Type)
		}
		name := f.Tag.Get("json")
		return f.Tag.Get("required") == "true" && name != "" && name != "-"
	})
}

// successes returns the statuses of the route's own answer.
func (rt route) successes() []int {
	if rt.also == 0 {
		return []int{rt.status}
	}
	return []int{rt.status, rt.also}
}

// bodyOfMedia describes records: an array of objects in JSON, otherwise what formatOfMedia says.
func bodyOfMedia(media string) any {
	if media == "application/json" {
		return []map[string]any{}
	}
	return nil
}

// formatOfMedia describes a body that is not JSON: a text in CSV, otherwise bytes.
func formatOfMedia(media string) openapi.ContentOption {
	return func(u *openapi.ContentUnit) {
		if media != "text/csv" {
			u.Format = "binary"
		}
	}
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
	out := append(slices.Clone(rt.problems), http.StatusForbidden)
	if !isOpen(rt.path) {
		out = append(out, http.StatusUnauthorized, http.StatusInternalServerError)
	}
	if !slices.Contains(out, http.StatusServiceUnavailable) {
		out = append(out, http.StatusServiceUnavailable)
	}
	if rt.readsBody() && !slices.Contains(out, http.StatusRequestEntityTooLarge) {
		out = append(out, http.StatusRequestEntityTooLarge)
	}
	return out
}

// readsBody reports whether the route reads a request's body: for what is in it, or to know the request again.
func (rt route) readsBody() bool {
	return len(rt.body) > 0 || rt.method != http.MethodGet && rt.in != nil && hasBody(reflect.TypeOf(rt.in)) ||
		has(rt.in, "IdempotencyKey")
}

// docsPage shows the document.
func (a *API) docsPage() fiber.Handler {
	page := adaptor.HTTPHandler(v5emb.New("Rowback", "/openapi.json", "/docs/"))
	return func(c *fiber.Ctx) error {
		if c.Path() == "/docs" {
			return c.Redirect("/docs/", http.StatusFound)
		}
		err := page(c)
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
