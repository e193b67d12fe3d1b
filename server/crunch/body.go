package crunch

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
)

// maxJSON is the largest JSON body, in bytes. A variable may have a value for every record.
const maxJSON = 64 << 20

// bodyKey is the key of the body that was read.
const bodyKey = "shoji body"

// read reads a request's JSON, whatever its Content-Type, into what in points to. An empty body is accepted, and so
// are unknown names; a field of the wrong type is refused by name.
func (f *Face) read(c *fiber.Ctx, in any) error { return f.readUpTo(c, maxJSON, in) }

// readUpTo is read with another limit. The body stays with the request, for the fingerprint of an Idempotency-Key.
func (f *Face) readUpTo(c *fiber.Ctx, most int64, in any) error {
	text, err := f.host.ReadBody(c, most)
	if err != nil {
		return err
	}
	c.Locals(bodyKey, text)
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	return decode(text, in, "the body")
}

// readBody reads an entity's body. If the request has none, or an empty one, it is the body itself: clients send both,
// and pycrunch adds an empty body to what it is given without one.
func (f *Face) readBody(c *fiber.Ctx, in any) error {
	var whole json.RawMessage
	if err := f.read(c, &whole); err != nil || whole == nil {
		return err
	}
	var entity struct {
		Body json.RawMessage `json:"body"`
	}
	if err := decode(whole, &entity, "the body"); err != nil {
		return err
	}
	// An empty body beside members of its own: those are what the client means.
	if entity.Body == nil || isEmpty(entity.Body) {
		entity.Body = whole
	}
	if err := checkEffects(entity.Body, in); err != nil {
		return err
	}
	return decode(entity.Body, in, "body")
}

// isEmpty reports whether JSON is an object without members, or null.
func isEmpty(text json.RawMessage) bool {
	var members map[string]json.RawMessage
	return json.Unmarshal(text, &members) == nil && len(members) == 0
}

// decode reads JSON; name is what errors call all of it.
func decode(text []byte, in any, name string) error {
	if err := storage.CheckDepth(text); err != nil {
		return err
	}
	var mistyped *json.UnmarshalTypeError
	switch err := json.Unmarshal(text, in); {
	case fault.KindOf(err) != fault.Internal: // a refusal of ours
		return err
	case errors.As(err, &mistyped) && mistyped.Field == "":
		return invalid(name, "must be a JSON object, not "+mistyped.Value)
	case errors.As(err, &mistyped):
		return invalid(mistyped.Field, "must be "+typeName(mistyped.Type)+", not "+mistyped.Value)
	case err != nil:
		return &fault.Error{
			Kind: fault.Malformed, Code: "malformed_json", Detail: "The body is not valid JSON: " + err.Error(),
		}
	}
	return nil
}

// typeName returns what a JSON value of a Go type is called in an error.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "an integer"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// param returns a part of the path, unescaped.
func param(c *fiber.Ctx, name string) (string, error) {
	text, err := url.PathUnescape(c.Params(name))
	if err != nil {
		return "", fiber.NewError(http.StatusBadRequest, "The URL can't be read.")
	}
	return text, nil
}

// queryInt returns a query parameter that is a count; missing is its default.
func queryInt(c *fiber.Ctx, name string, missing int64) (int64, error) {
	text := c.Query(name)
	if text == "" {
		return missing, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, invalid(name, "must be a number, 0 or greater")
	}
	return n, nil
}

// queryTime returns a query parameter that is a time: the first and the last moment that it may mean, given its
// precision. Both are zero if the parameter is missing. A date means a whole day: since its start, until its end.
func queryTime(c *fiber.Ctx, name string) (first, last time.Time, err error) {
	text := strings.ReplaceAll(c.Query(name), " ", "+") // an unescaped plus sign
	if text == "" {
		return first, last, nil
	}
	for layout, unit := range map[string]time.Duration{
		// these accept fractions too
		time.DateOnly: 24 * time.Hour, "2006-01-02T15:04:05": time.Second, time.RFC3339: time.Second,
	} {
		if first, err = time.Parse(layout, text); err == nil {
			if first.Nanosecond() != 0 {
				unit = time.Microsecond
			}
			return first, first.Add(unit - time.Microsecond), nil
		}
	}
	return first, last, invalid(name, "must be a time such as 2026-01-31 or 2026-01-31T10:00:00Z")
}
