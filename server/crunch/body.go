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

	"rowback/storage"
	"rowback/storage/fault"
)

// maxJSON is how large a JSON body may be, bytes. A variable may come with a value for every record.
const maxJSON = 64 << 20

// bodyKey is where a request keeps the body that was read.
const bodyKey = "shoji body"

// read reads the JSON that a request has, whatever its Content-Type, into what in points to. Nothing is fine, and so
// are unknown names; a known one of another type is refused by name.
func (f *Face) read(c *fiber.Ctx, in any) error { return f.readUpTo(c, maxJSON, in) }

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

// readBody reads an entity's body. What has none, or an empty one, is it: clients send both, and pycrunch puts an empty
// body beside what it is given without one.
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
	if entity.Body == nil || isEmpty(entity.Body) {
		entity.Body = whole
	}
	return decode(entity.Body, in, "body")
}

// isEmpty tells whether JSON is an object without members.
func isEmpty(text json.RawMessage) bool {
	var members map[string]json.RawMessage
	return json.Unmarshal(text, &members) == nil && members != nil && len(members) == 0
}

// decode reads JSON; name is what a person would call all of it.
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
		return &fault.Error{Kind: fault.Malformed, Code: "malformed_json", Detail: "The body is not valid JSON: " + err.Error()}
	}
	return nil
}

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

// param is a part of the path, as it was before it was escaped.
func param(c *fiber.Ctx, name string) (string, error) {
	text, err := url.PathUnescape(c.Params(name))
	if err != nil {
		return "", fiber.NewError(http.StatusBadRequest, "The URL can't be read.")
	}
	return text, nil
}

// queryInt is a query parameter that counts something; missing is its value where it does not come.
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

// queryTime is a query parameter that is a time: the first and the last moment that it may mean, as precisely as it is
// written. Both are zero where it does not come.
func queryTime(c *fiber.Ctx, name string) (first, last time.Time, err error) {
	text := strings.ReplaceAll(c.Query(name), " ", "+") // a plus that was not escaped
	if text == "" {
		return first, last, nil
	}
	for layout, unit := range map[string]time.Duration{
		time.DateOnly: 24 * time.Hour, "2006-01-02T15:04:05": time.Second, time.RFC3339: time.Second, // each takes fractions too
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
