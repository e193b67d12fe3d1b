package api

import (
	"reflect"
	"strings"

	"github.com/swaggest/jsonschema-go"
	"github.com/swaggest/openapi-go"
)

// reflectSchemas makes the schemas of the document say what encoding/json does with the types that they are made of, so
// that generated clients need not check for what can't happen: which members of an answer are always there, and what is
// never null.
func reflectSchemas(rc *jsonschema.ReflectContext) {
	jsonschema.InterceptSchema(func(p jsonschema.InterceptSchemaParams) (stop bool, err error) {
		if p.Processed && isAnswer(p.Context) && p.Schema.HasType(jsonschema.Object) {
			p.Schema.Required = alwaysThere(p.Value.Type())
		}
		return false, nil
	})(rc)
	jsonschema.InterceptNullability(nullability)(rc)
	jsonschema.InterceptProp(func(p jsonschema.InterceptPropParams) error {
		switch p.Field.Tag.Get("header") {
		case "Accept", "Content-Type": // OpenAPI has media types for them, and ignores parameters of these names
			return jsonschema.ErrSkipProperty
		}
		return nil
	})(rc)
}

// nullability lets only pointers be null: no list and no map that is sent is nil. A parameter can't be null, and what
// is left out when it is empty is never null either.
func nullability(p jsonschema.InterceptNullabilityParams) {
	isPointer := p.Type.Kind() == reflect.Pointer
	switch {
	case !isPointer || p.OmitEmpty || isParameter(p.Context):
		p.Schema.RemoveType(jsonschema.Null)
	case p.Schema.Ref != nil && isAnswer(p.Context):
		named := jsonschema.Schema{Ref: p.Schema.Ref}
		p.Schema.Ref, p.Schema.Type = nil, nil
		p.Schema.AnyOf = []jsonschema.SchemaOrBool{named.ToSchemaOrBool(), jsonschema.Null.ToSchemaOrBool()}
	}
}

// isAnswer reports whether the schema is being made for an answer.
func isAnswer(rc *jsonschema.ReflectContext) bool {
	op, ok := openapi.OperationCtx(rc)
	return ok && op.IsProcessingResponse()
}

// isParameter reports whether the schema is being made for a part of a request that is not its body.
func isParameter(rc *jsonschema.ReflectContext) bool {
	op, ok := openapi.OperationCtx(rc)
	return ok && !op.IsProcessingResponse() && op.ProcessingIn() != openapi.InBody
}

// alwaysThere returns the names of the members that every value of a struct has in JSON: those that are not left out
// when they are empty. Members that come from an embedded pointer are there only if it is set.
func alwaysThere(t reflect.Type) (names []string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			names = append(names, alwaysThere(f.Type)...)
		case name != "" && name != "-" && !strings.Contains(options, "omit"):
			names = append(names, name)
		}
	}
	return names
}
