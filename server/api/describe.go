package api

import (
	"net/http"
	"reflect"
	"slices"

	"github.com/swaggest/openapi-go"
	"github.com/swaggest/openapi-go/openapi31"

	"github.com/rowback/rowback/server/access"
)

// anySuccess stands for 2XX in the document. Dry runs are described by it, although their status is 200: generators
// take the answer with the lowest number as what a call returns, and 200 would come before 201.
const anySuccess = 2

func dryRunAnswer(u *openapi.ContentUnit) {
	u.Description = "Of a dry run, whose status is 200: what the call would answer, without ids yet to be given, and these."
}

// bearer is the document's name for the way tokens are sent.
const bearer = "bearer"

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
		op.AddReqStructure(rt.in, rt.required())
	}
	for _, media := range rt.body {
		op.AddReqStructure(bodyOfMedia(media), openapi.WithContentType(media), rt.required(), formatOfMedia(media))
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
	made := op.(openapi31.OperationExposer).Operation()
	if rt.role >= access.Reader {
		made.WithMapOfAnythingItem("x-role", rt.role.String())
	}
	if err := r.AddOperation(op); err != nil {
		return err
	}
	pathFirst(made.Parameters)
	return nil
}

// pathFirst sorts the parameters of a call, which are those of methods in generated clients: those of the path come
// first, in its order.
func pathFirst(all []openapi31.ParameterOrReference) {
	slices.SortStableFunc(all, func(a, b openapi31.ParameterOrReference) int {
		return place(a) - place(b)
	})
}

func place(p openapi31.ParameterOrReference) int {
	if p.Parameter.In == openapi31.ParameterInPath {
		return 0
	}
	return 1
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

// formatOfMedia describes a body that is not JSON: a list of files, a text in CSV, otherwise bytes.
func formatOfMedia(media string) openapi.ContentOption {
	return func(u *openapi.ContentUnit) {
		switch media {
		case "text/csv":
		case filesType:
			u.Customize = asFiles(u.Customize)
		default:
			u.Format = "binary"
		}
	}
}

// asFiles describes a body as a list of files, after what is said of it otherwise. To the library, a media type that it
// does not know is a text.
func asFiles(otherwise func(openapi.ContentOrReference)) func(openapi.ContentOrReference) {
	return func(body openapi.ContentOrReference) {
		otherwise(body)
		if b, ok := body.(*openapi31.RequestBodyOrReference); ok && b != nil {
			b.RequestBodyEns().WithContentItem(filesType, openapi31.MediaType{Schema: filesSchema})
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
