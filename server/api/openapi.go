package api

import (
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/swaggest/openapi-go"
	"github.com/swaggest/openapi-go/openapi31"
	"github.com/swaggest/swgui/v5emb"
)

// route is one call: how it is asked for, what it takes and gives, and what answers it.
type route struct {
	method, path string
	id, summary  string
	tag          string
	in           any      // struct with tags path, query, header and json; nil: nothing
	body         []string // media types of a body that is not described by in
	status       int      // of success
	out          any      // what the answer's JSON is; nil: no body
	media        []string // media types of an answer that is not described by out
	problems     []int    // what else may come; 500 and 503 go without saying
	handler      fiber.Handler
}

// document is the OpenAPI 3.1 document of the routes.
func (a *API) document() ([]byte, error) {
	r := openapi31.NewReflector()
	r.Spec.Info.WithTitle("Rowback").WithVersion(a.options.Version).
		WithDescription("A versioning server for tabular datasets on Parquet. {dataset} is an id, or a name with ?project_id= (default 1). " +
			"Every POST takes an Idempotency-Key; every write takes expected_head, and Prefer: respond-async where it may take long.")
	for _, rt := range a.routes() {
		if err := describe(r, rt); err != nil {
			return nil, err
		}
	}
	return json.MarshalIndent(r.Spec, "", "  ")
}

func describe(r *openapi31.Reflector, rt route) error {
	op, err := r.NewOperationContext(rt.method, rt.path)
	if err != nil {
		return err
	}
	op.SetID(rt.id)
	op.SetSummary(rt.summary)
	op.SetTags(rt.tag)
	if rt.in != nil {
		op.AddReqStructure(rt.in)
	}
	for _, media := range rt.body {
		op.AddReqStructure(nil, openapi.WithContentType(media))
	}
	if rt.out == nil && len(rt.media) == 0 {
		op.AddRespStructure(nil, openapi.WithHTTPStatus(rt.status))
	}
	if rt.out != nil {
		op.AddRespStructure(reflect.New(reflect.TypeOf(rt.out)).Interface(), openapi.WithHTTPStatus(rt.status))
	}
	for _, media := range rt.media {
		op.AddRespStructure("", openapi.WithHTTPStatus(rt.status), openapi.WithContentType(media))
	}
	for _, status := range rt.problems {
		op.AddRespStructure(new(Problem), openapi.WithHTTPStatus(status), openapi.WithContentType("application/problem+json"))
	}
	return r.AddOperation(op)
}

// docsPage shows the document.
func (a *API) docsPage() fiber.Handler {
	page := adaptor.HTTPHandler(v5emb.New("Rowback", "/openapi.json", "/docs/"))
	return func(c *fiber.Ctx) error {
		if c.Path() == "/docs" {
			return c.Redirect("/docs/", http.StatusFound)
		}
		return page(c)
	}
}
