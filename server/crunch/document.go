package crunch

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
)

// Kinds of documents.
const (
	catalogElement = "shoji:catalog"
	entityElement  = "shoji:entity"
	viewElement    = "shoji:view"
	tableElement   = "crunch:table"
)

// links are URLs by the names that clients use.
type links map[string]string

// document is any Shoji document: a catalog has an index, an entity a body, a view a value. Members that a kind of
// document does not have are left out.
type document struct {
	Element     string `json:"element"`
	Self        string `json:"self"`
	Description string `json:"description,omitempty"`
	Body        any    `json:"body,omitempty"`
	Index       *index `json:"index,omitempty"`
	Graph       any    `json:"graph,omitempty"` // of a folder: the URLs in it, in order
	Value       any    `json:"value,omitempty"`
	Catalogs    links  `json:"catalogs,omitempty"`
	Fragments   links  `json:"fragments,omitempty"`
	Views       links  `json:"views,omitempty"`
	URLs        links  `json:"urls,omitempty"`
	Metadata    any    `json:"metadata,omitempty"` // of a table: variables by id
	Data        any    `json:"data,omitempty"`     // of a table: columns by variable id
}

// index is the entries of a catalog, in order: the clients keep the order of the JSON object. A map would lose it:
// encoding/json sorts the keys of maps.
type index struct {
	entries []entry
}

// entry is one tuple of an index. Its names must not be self, session or entity_url: the clients pass all names on as
// keyword arguments together with those.
type entry struct {
	url   string
	tuple any
}

// add appends an entry. Its URL is absolute, as are all in this face's answers.
func (x *index) add(url string, tuple any) { x.entries = append(x.entries, entry{url, tuple}) }

// urls returns the URLs of the entries.
func (x *index) urls() []string {
	out := make([]string, len(x.entries))
	for i, e := range x.entries {
		out[i] = e.url
	}
	return out
}

// MarshalJSON writes the entries as one object, in order.
func (x *index) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, e := range x.entries {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(e.url)
		if err != nil {
			return nil, err
		}
		tuple, err := json.Marshal(e.tuple)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(tuple)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// site returns the start of the request's URLs, such as http://127.0.0.1:8000, from the Host header or from a proxy's.
// It is the address that the client used, so that it can follow the URLs from where it is.
func site(c *fiber.Ctx) string { return host.Site(c) }

// self returns the absolute URL of the request, with a slash at the end.
func self(c *fiber.Ctx) string {
	path := c.Path()
	// Without it, a URL relative to this one would replace its last part.
	if path[len(path)-1] != '/' {
		path += "/"
	}
	return site(c) + path
}

// show answers 200 with a document about the requested URL.
func show(c *fiber.Ctx, d document) error {
	if d.Self == "" {
		d.Self = self(c)
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	c.Status(http.StatusOK).Set("Content-Type", "application/json")
	return c.Send(text)
}

// showView answers 200 with a view of a value.
func showView(c *fiber.Ctx, value any) error {
	return show(c, document{Element: viewElement, Value: value})
}

// created answers 201 with the URL of what was created.
func created(c *fiber.Ctx, path string) error { return lead(c, http.StatusCreated, path) }

// seeOther answers 303 with the URL of what exists already.
func seeOther(c *fiber.Ctx, path string) error { return lead(c, http.StatusSeeOther, path) }

// lead answers with a URL, as the Location and as the value of a view.
func lead(c *fiber.Ctx, status int, path string) error {
	c.Set("Location", site(c)+path)
	if err := showView(c, site(c)+path); err != nil {
		return err
	}
	c.Status(status)
	return nil
}

// moment formats a time as the clients expect it. It has microseconds and a numeric offset, as Crunch writes times.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000+00:00") }
