package quartzbio

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
)

// maxBody is the largest JSON body, in bytes, and maxRecordsBody that of one with records.
const (
	maxBody        = 8 << 20
	maxRecordsBody = 64 << 20
)

// read reads a request's JSON into what in points to. A field that in does not have is refused by name.
func (f *Face) read(c *fiber.Ctx, in any) error { return f.readUpTo(c, maxBody, in) }

// readUpTo reads a body of up to so many bytes.
func (f *Face) readUpTo(c *fiber.Ctx, most int64, in any) error {
	text, err := f.host.ReadBody(c, most)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	return decode(text, in)
}

// readNothing refuses a body that says something.
func (f *Face) readNothing(c *fiber.Ctx) error {
	var in struct{}
	return f.read(c, &in)
}

// decode reads JSON into what in points to, and refuses what in does not have.
func decode(text []byte, in any) error {
	if err := storage.CheckDepth(text); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	d.UseNumber()
	var mistyped *json.UnmarshalTypeError
	err := d.Decode(in)
	switch {
	case err == nil:
		return nil
	case fault.KindOf(err) != fault.Internal: // a refusal of ours
		return err
	case errors.As(err, &mistyped):
		return refused(mistyped.Field, "must not be "+mistyped.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return unknownField(strings.Trim(name, `"`))
	}
	return fault.Errorf(fault.Malformed, "malformed_json", "The body is not valid JSON: %s.", err)
}

// few is a list of a request, which has maxRecords elements at most: those of a body with more, however short each is
// written, would take many times its size in memory.
type few[T any] []T

// UnmarshalJSON reads the list, once its elements have been counted.
func (l *few[T]) UnmarshalJSON(text []byte) error {
	if n := countElements(text); n > maxRecords {
		return fault.Errorf(fault.Invalid, "invalid", "A list in the body has %d elements, and must have %d at most.",
			n, maxRecords)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	d.UseNumber()
	return d.Decode((*[]T)(l))
}

// countElements returns how many elements a list in JSON has; of one without any, 1.
func countElements(text []byte) int {
	n, depth, isText := 1, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case isText && c == '\\':
			i++ // what is escaped
		case c == '"':
			isText = !isText
		case isText:
		case c == '[', c == '{':
			depth++
		case c == ']', c == '}':
			depth--
		case c == ',' && depth == 1:
			n++
		}
	}
	return n
}

// checkQuery refuses parameters that a list does not have.
func checkQuery(c *fiber.Ctx, names ...string) (err error) {
	for key, value := range c.Context().QueryArgs().All() {
		name := string(key)
		if !utf8.Valid(value) || bytes.IndexByte(value, 0) >= 0 {
			return refused(fault.Clip(name), "is not text")
		}
		if !slices.Contains(names, name) && !slices.Contains(paging, name) {
			return unknownField(name)
		}
	}
	return nil
}

// paging are the parameters that every list has.
var paging = []string{"limit", "page", "offset", "page_size"}

// The size of a page of a list: what it is unless the request says so, and at most.
const (
	pageSize = 100
	maxPage  = 10_000
)

// links lead to the pages beside one.
type links struct {
	Next *string `json:"next"`
	Prev *string `json:"prev"`
}

// list is a page of a list, as the client has all of them.
type list[T any] struct {
	ClassName string `json:"class_name"`
	Data      []T    `json:"data"`
	Total     int    `json:"total"`
	Links     links  `json:"links"`
	URL       string `json:"url"`
}

// count reads a parameter that counts.
func count(c *fiber.Ctx, name string, missing, least int) (int, error) {
	text := c.Query(name)
	if text == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		return 0, refused(name, "must be an integer of at least "+strconv.Itoa(least))
	}
	return n, nil
}

// pageOf returns where the page begins that a request asks for, and its size.
func pageOf(c *fiber.Ctx) (from, size int, err error) {
	size, err = count(c, "limit", pageSize, 0)
	if err == nil {
		size, err = count(c, "page_size", size, 0)
	}
	if err != nil {
		return 0, 0, err
	}
	size = min(size, maxPage)
	page, err := count(c, "page", 1, 1)
	if err != nil {
		return 0, 0, err
	}
	from, err = count(c, "offset", (min(page, 1<<31)-1)*size, 0)
	return min(from, math.MaxInt32), size, err
}

// showList answers with a page of a list; view is called for what is on it.
func showList[S, T any](c *fiber.Ctx, all []S, view func(S) (T, error)) error {
	from, size, err := pageOf(c)
	if err != nil {
		return err
	}
	out := list[T]{ClassName: "list", Data: []T{}, Total: len(all), URL: host.Site(c) + string(c.Request().RequestURI())}
	for _, one := range all[min(from, len(all)):min(from+size, len(all))] {
		seen, err := view(one)
		if err != nil {
			return err
		}
		out.Data = append(out.Data, seen)
	}
	if size > 0 && from+size < len(all) {
		out.Links.Next = pageLink(c, from+size)
	}
	if size > 0 && from > 0 {
		out.Links.Prev = pageLink(c, max(from-size, 0))
	}
	return show(c, http.StatusOK, out)
}

// pageLink returns the URL of the page that begins at an offset.
func pageLink(c *fiber.Ctx, from int) *string {
	query, err := url.ParseQuery(string(c.Request().URI().QueryString()))
	if err != nil {
		query = url.Values{} // what could not be read had no effect
	}
	query.Del("page")
	query.Set("offset", strconv.Itoa(from))
	link := host.Site(c) + c.Path() + "?" + query.Encode()
	return &link
}

// param returns a part of the path, unescaped and copied.
func param(c *fiber.Ctx, name string) (string, error) {
	text, err := url.PathUnescape(c.Params(name))
	if err != nil || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "", fiber.NewError(http.StatusBadRequest, "The "+name+" in the path is not text in UTF-8.")
	}
	return strings.Clone(text), nil
}

// join makes an id of what a dataset has, such as a commit, and split takes it apart. Commits and fields are numbered
// in each family of datasets.
func join(dataset string, n int64) string { return dataset + "_" + strconv.FormatInt(n, 10) }

func split(id string) (dataset string, n int64, ok bool) {
	dataset, number, _ := strings.Cut(id, "_")
	n, err := strconv.ParseInt(number, 10, 64)
	return dataset, n, err == nil && number == strconv.FormatInt(n, 10)
}

// moment formats a time as the service does.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// text is a value that is null if it is empty.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// isNothing reports whether a JSON value says nothing: null, "", [], {} or false.
func isNothing(v json.RawMessage) bool {
	return slices.Contains([]string{"", "null", `""`, "[]", "{}", "false"}, string(bytes.TrimSpace(v)))
}

// nothings refuses fields that have no effect here, unless what they say is nothing.
func nothings(fields map[string]json.RawMessage) error {
	for name, value := range fields {
		if !isNothing(value) {
			return unknownField(name)
		}
	}
	return nil
}
