package api

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage/fault"
)

// shared are fields that a request embeds.
type shared struct {
	Who string `path:"who" required:"true" json:"-"`
}

// sample has a field of every kind, from every place.
type sample struct {
	shared
	Count  int      `query:"count" required:"true" json:"-"`
	Most   *int64   `query:"most" json:"-"`
	Share  float64  `query:"share" json:"-"`
	Dry    bool     `query:"dry" json:"-"`
	Names  []string `query:"names" json:"-"`
	Prefer string   `header:"Prefer" json:"-"`
	Source string   `json:"source" required:"true"`
	Size   int      `json:"size"`
	Deep   struct {
		On bool `json:"on"`
	} `json:"deep"`
}

// handler is a face that has one handler.
type handler struct {
	path   string
	handle fiber.Handler
}

func (f handler) Mount(app *fiber.App) { app.Post(f.path, f.handle) }

// handling is an application that answers what is posted to a path.
func handling(path string, handle func(*API, *fiber.Ctx) error) *fiber.App {
	h := host.New(host.Options{})
	a := &API{host: h}
	return h.App(handler{path, func(c *fiber.Ctx) error { return handle(a, c) }})
}

// bound binds one request to a sample.
func bound(t *testing.T, target, body string, headers ...string) (in sample, err error) {
	t.Helper()
	app := handling("/:who", func(a *API, c *fiber.Ctx) error {
		err = a.bind(c, &in)
		return nil
	})
	request := httptest.NewRequest("POST", target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	if _, failed := app.Test(request, -1); failed != nil {
		t.Fatal(failed)
	}
	return in, err
}

func TestFieldsComeFromPathQueryHeaderAndBody(t *testing.T) {
	got, err := bound(t, "/eva%2Fno%C3%ABl?count=3&most=0&share=0.5&dry=TRUE&names=a,%20b,,c",
		`{"source":"s","size":2,"deep":{"on":true}}`, "Prefer", "respond-async")
	if err != nil {
		t.Fatal(err)
	}
	zero := int64(0)
	want := sample{
		shared: shared{"eva/noël"}, Count: 3, Most: &zero, Share: 0.5, Dry: true, Names: []string{"a", "b", "c"},
		Prefer: "respond-async", Source: "s", Size: 2,
	}
	want.Deep.On = true
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestFieldsThatAreLeftOutKeepTheirDefaults(t *testing.T) {
	got, err := bound(t, "/eva?count=3", `{"source":"s"}`)
	if err != nil || got.Most != nil || got.Names != nil || got.Share != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAListIsOneParameterOrSeveral(t *testing.T) {
	for _, query := range []string{"names=a,b,%22c,d%22", "names=a&names=b&names=%22c,d%22", "names=a,b&names=%22c,d%22"} {
		got, err := bound(t, "/eva?count=3&"+query, `{"source":"s"}`)
		if err != nil || !slices.Equal(got.Names, []string{"a", "b", "c,d"}) {
			t.Errorf("%s: %q, %v", query, got.Names, err)
		}
	}
}

func TestARefusedFieldIsNamed(t *testing.T) {
	for _, c := range []struct{ target, body, field, why string }{
		{"/eva", `{"source":"s"}`, "count", "is required"},
		{"/eva?count=", `{"source":"s"}`, "count", "is required"},
		{"/eva?count=3", ``, "source", "is required"},
		{"/eva?count=3&most=", `{"source":"s"}`, "most", "has no value"},
		{"/eva?count=3&count=4", `{"source":"s"}`, "count", "is given more than once"},
		{"/eva?count=3", ` {"source":""} `, "source", "is required"},
		{"/eva?count=3.5", `{"source":"s"}`, "count", "must be an integer"},
		{"/eva?count=99999999999999999999", `{"source":"s"}`, "count", "must be an integer"},
		{"/eva?count=3&most=x", `{"source":"s"}`, "most", "must be an integer"},
		{"/eva?count=3&share=half", `{"source":"s"}`, "share", "must be a number"},
		{"/eva?count=3&dry=perhaps", `{"source":"s"}`, "dry", "must be true or false"},
		{"/eva?count=3", `{"source":1}`, "source", "must be a string, not number"},
		{"/eva?count=3", `{"source":"s","size":"big"}`, "size", "must be an integer, not string"},
		{"/eva?count=3", `{"source":"s","deep":[]}`, "deep", "must be an object, not array"},
		{"/eva?count=3", `{"source":"s","deep":{"on":1}}`, "deep.on", "must be true or false, not number"},
		{"/eva?count=3", `[1]`, "body", "must be a JSON object"},
		{"/eva?count=3", `"source"`, "body", "must be a JSON object"},
	} {
		_, err := bound(t, c.target, c.body)
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Invalid || e.Code != "invalid_field" {
			t.Errorf("%s %s: %v", c.target, c.body, err)
			continue
		}
		if e.Fields["field"] != c.field || e.Detail != c.field+": "+c.why {
			t.Errorf("%s %s: field %v, %s", c.target, c.body, e.Fields["field"], e.Detail)
		}
	}
}

func TestABodyThatIsNotJSONIsMalformed(t *testing.T) {
	for _, body := range []string{
		`{`, `{"source":"s"} x`, `{'source':'s'}`, "\x00", `{"deep":` + strings.Repeat("[", 100_000),
	} {
		_, err := bound(t, "/eva?count=3", body)
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Malformed || e.Code != "malformed_json" {
			t.Errorf("%.40q: %v", body, err)
		}
	}
}

func TestABodyLargerThanTheLimitIsRefused(t *testing.T) {
	_, err := bound(t, "/eva?count=3", `{"source":"`+strings.Repeat("s", maxJSON)+`"}`)
	var e *fiber.Error
	if !errors.As(err, &e) || e.Code != 413 {
		t.Errorf("%.100v", err)
	}
}

// A field of a request comes from one place, and those outside the body are not taken from it as well.
func TestEveryFieldOfARequestHasOnePlace(t *testing.T) {
	for _, r := range (&API{}).routes() {
		if r.in != nil {
			checkPlaces(t, r.id, reflect.TypeOf(r.in))
		}
	}
}

func checkPlaces(t *testing.T, id string, in reflect.Type) {
	for i := range in.NumField() {
		f := in.Field(i)
		if f.Anonymous {
			checkPlaces(t, id, f.Type)
			continue
		}
		places := 0
		for _, tag := range []string{"path", "query", "header"} {
			if _, ok := f.Tag.Lookup(tag); ok {
				places++
			}
		}
		if inBody := f.Tag.Get("json") != "-"; places > 1 || inBody == (places == 1) {
			t.Errorf("%s: field %s has the tags %s", id, f.Name, f.Tag)
		}
		if places == 1 {
			checkSettable(t, id, f)
		}
	}
}

// checkSettable makes sure that a field has a type that set can read from text.
func checkSettable(t *testing.T, id string, f reflect.StructField) {
	for _, text := range []string{"1", "true"} {
		if set(reflect.New(f.Type).Elem(), text) == nil {
			return
		}
	}
	t.Errorf("%s: field %s is a %s, which can't be set from text", id, f.Name, f.Type)
}

func TestTheBodyIsReadOnceForAllWhoAsk(t *testing.T) {
	app := handling("/", func(a *API, c *fiber.Ctx) error {
		first, _ := a.smallBody(c)
		second, err := a.smallBody(c)
		if err != nil || string(first) != "{}" || string(second) != "{}" {
			t.Errorf("%q, %q, %v", first, second, err)
		}
		return nil
	})
	if _, err := app.Test(httptest.NewRequest("POST", "/", strings.NewReader("{}")), -1); err != nil {
		t.Fatal(err)
	}
}

func TestKindsAreNamedAsJSONNamesThem(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{{1, "an integer"}, {int64(1), "an integer"}, {1.5, "a number"}, {"", "a string"}, {true, "true or false"},
		{[]string{}, "a list"}, {map[string]any{}, "an object"}, {json.RawMessage{}, "a list"}} {
		if got := kindName(reflect.TypeOf(c.value)); got != c.want {
			t.Errorf("%T: %s, want %s", c.value, got, c.want)
		}
	}
}
