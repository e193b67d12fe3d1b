package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
)

// maxJSON is the largest JSON body that is not records, in bytes. It is held in memory; bodies of records are streamed
// to a file and have a limit of their own (--max-upload).
const maxJSON = 4 << 20

// bind fills the struct that in points to from a request, following its fields' tags: path, query, header, or json for
// the body. A field with the tag required must be present. A field that is missing or has the wrong type is refused by
// name (422); a body that is not JSON is malformed (400). The OpenAPI document is made from the same tags.
func (a *API) bind(c *fiber.Ctx, in any) error {
	v := reflect.ValueOf(in).Elem()
	// Before the body is read: a misspelled parameter is reported even where the body is malformed too.
	if err := checkParameters(c, v.Type()); err != nil {
		return err
	}
	if err := a.bindBody(c, in, v.Type()); err != nil {
		return err
	}
	// Last: by then the body's fields are set, and the required ones among them are checked with the others.
	return a.bindFields(c, v)
}

// bindFields sets the fields that come from outside the body, and requires those that have the tag required.
func (a *API) bindFields(c *fiber.Ctx, v reflect.Value) error {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			if err := a.bindFields(c, v.Field(i)); err != nil {
				return err
			}
			continue
		}
		name, text, err := valueOf(c, f)
		if err != nil {
			return err
		}
		if name == projectField {
			if text, err = a.projectNumber(c, text); err != nil {
				return err
			}
		}
		required := f.Tag.Get("required") == "true"
		switch {
		case text != "":
			if err := set(v.Field(i), text); err != nil {
				return invalid(name, err.Error())
			}
		// Zero stands for missing: a required number that may be 0 is a pointer.
		case required && v.Field(i).IsZero():
			return invalid(fieldName(f), "is required")
		}
	}
	return nil
}

// valueOf returns the text that a request has for a field outside the body.
func valueOf(c *fiber.Ctx, f reflect.StructField) (name, text string, err error) {
	if name, ok := f.Tag.Lookup("path"); ok {
		// Fiber leaves the parts of a path as they were sent.
		text, err := url.PathUnescape(c.Params(name))
		if err != nil {
			return name, "", fiber.NewError(fiber.StatusBadRequest, "The URL can't be read.")
		}
		return name, text, nil
	}
	if name, ok := f.Tag.Lookup("query"); ok {
		return name, string(bytes.Join(c.Context().QueryArgs().PeekMulti(name), []byte(","))), nil
	}
	if name, ok := f.Tag.Lookup("header"); ok {
		return name, host.Header(c, name), nil
	}
	return "", "", nil
}

// fieldName returns the name of a field as clients know it.
func fieldName(f reflect.StructField) string {
	// a field has one of them; the first three come with json:"-"
	for _, tag := range []string{"path", "query", "header", "json"} {
		if name, ok := f.Tag.Lookup(tag); ok {
			name, _, _ = strings.Cut(name, ",")
			return name
		}
	}
	return f.Name
}

// pathNumber reads the number of a resource in a path, which has one form: +1 and 01 are not 1.
func pathNumber(text string) (n int64, ok bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == text
}

// set parses the text of a field. Lists are comma-separated, see list. The error is the end of a sentence.
func set(v reflect.Value, text string) error {
	switch v.Kind() {
	// A pointer tells a missing field from one that is given as the zero value.
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return set(v.Elem(), text)
	case reflect.String:
		v.SetString(text)
	case reflect.Int64, reflect.Int:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return errors.New("must be an integer")
		}
		v.SetInt(n)
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return errors.New("must be a number")
		}
		v.SetFloat(n)
	case reflect.Bool:
		b, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return errors.New("must be true or false")
		}
		v.SetBool(b)
	case reflect.Slice:
		var names []string
		for _, part := range list(text) {
			names = append(names, unquoted(part))
		}
		v.Set(reflect.ValueOf(names))
	default:
		return fmt.Errorf("has a kind that can't be set: %s", v.Kind())
	}
	return nil
}

// hasBody reports whether a struct takes fields from a JSON body.
func hasBody(t reflect.Type) bool {
	for i := range t.NumField() {
		f := t.Field(i)
		if name, ok := f.Tag.Lookup("json"); ok && name != "-" || f.Anonymous && hasBody(f.Type) {
			return true
		}
	}
	return false
}

// bindBody decodes the JSON body, if the struct has fields for one. An empty body is an empty object.
func (a *API) bindBody(c *fiber.Ctx, in any, t reflect.Type) error {
	if !hasBody(t) {
		return nil
	}
	body, err := a.smallBody(c)
	if err != nil {
		return err
	}
	if len(strings.TrimSpace(string(body))) == 0 {
		return nil // bindFields refuses required fields that are missing
	}
	if err := storage.CheckDepth(body); err != nil {
		return err
	}
	if err := checkFields(body, t, ""); err != nil {
		return err
	}
	if body, err = a.withProjectNumber(c, body); err != nil {
		return err
	}
	if err := checkNulls(c.Method(), body); err != nil {
		return err
	}
	// Its Field is the path of the member in the JSON, which is the name that the client knows.
	var mistyped *json.UnmarshalTypeError
	switch err := json.Unmarshal(body, in); {
	case errors.As(err, &mistyped) && mistyped.Field == "":
		return invalid("body", "must be a JSON object")
	case errors.As(err, &mistyped):
		return invalid(mistyped.Field, "must be "+kindName(mistyped.Type)+", not "+mistyped.Value)
	case err != nil:
		return &fault.Error{
			Kind: fault.Malformed, Code: "malformed_json", Detail: "The body is not valid JSON: " + err.Error(),
		}
	}
	return nil
}

// kindName returns what a JSON value of a Go type is called in an error, with its article.
func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		return "an integer"
	case reflect.Float64:
		return "a number"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// smallBody reads a body that is not records. Reading it again returns the same bytes.
func (a *API) smallBody(c *fiber.Ctx) ([]byte, error) { return a.host.ReadBody(c, maxJSON) }

// invalid returns the error of a request's field, by name. Every refusal of a single field goes through it, so that
// programs find the name under field and people in the sentence.
func invalid(field, why string) error {
	e := &fault.Error{Kind: fault.Invalid, Code: "invalid_field", Detail: field + ": " + why}
	return e.With("field", field)
}
