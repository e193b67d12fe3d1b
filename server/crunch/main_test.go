package crunch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/facetest"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
)

// served is the application that the tests of handlers ask. Tests make datasets of their own.
var served *fiber.App

// keeper is the store that it serves.
var keeper *storage.Store

func TestMain(m *testing.M) {
	facetest.Main(m, func(store *storage.Store) (close func(), err error) {
		keeper = store
		h := host.New(host.Options{Gate: access.NewGate(access.Tokens{"t0": "eva"}, nil)})
		served = h.App(New(store, h, Options{SyncTimeout: time.Minute}))
		return func() { h.Wait(context.Background()) }, nil
	})
}

// answer is what the server says.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any // where it is a JSON object
}

// at is the part of an answer at a path of names, such as body.name.
func (a answer) at(path string) any {
	var value any = a.body
	for name := range strings.SplitSeq(path, ".") {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

// code is the stable code of an error.
func (a answer) code() string { return fmt.Sprint(a.body["code"]) }

// location is the path that an answer leads to.
func (a answer) location() string {
	return strings.TrimPrefix(a.header.Get("Location"), "http://example.com")
}

// ask sends a request of eva to the served application; headers are names and values in turn.
func ask(t *testing.T, method, target, body string, headers ...string) answer {
	t.Helper()
	headers = append([]string{"Authorization", "Bearer t0"}, headers...)
	got, err := facetest.Exchange(served, method, target, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	if strings.HasPrefix(got.Text, "{") && got.Body == nil {
		t.Fatalf("%s %s: %s is not JSON", method, target, got.Text)
	}
	return answer{got.Status, got.Header, got.Text, got.Body}
}

// must asks, and fails the test where the status is another.
func must(t *testing.T, status int, method, target, body string, headers ...string) answer {
	t.Helper()
	got := ask(t, method, target, body, headers...)
	if got.status != status {
		t.Fatalf("%s %s: %d %s, want %d", method, target, got.status, got.text, status)
	}
	return got
}

// people makes a dataset with three records and the variables age, sex and word, and returns its path.
func people(t *testing.T, name string) string {
	t.Helper()
	path := must(t, 201, "POST", "/api/datasets/", fmt.Sprintf(`{"body":{"name":%q}}`, name)).location()
	for _, variable := range []string{
		`{"alias":"age","name":"Age in years","type":"numeric","values":[30,{"?":-1},50]}`,
		`{"name":"sex","type":"categorical","values":["F","M",-1],"categories":[
			{"id":1,"name":"F","numeric_value":null,"missing":false},
			{"id":2,"name":"M","numeric_value":null,"missing":false}]}`,
		`{"name":"word","type":"text","values":["one","two","three"]}`,
	} {
		must(t, 201, "POST", path+"variables/", `{"body":`+variable+`}`)
	}
	return path
}

// column is the values of a variable, as JSON.
func column(t *testing.T, path, id string) string {
	t.Helper()
	text, err := json.Marshal(must(t, 200, "GET", path+"variables/"+id+"/values/", "").body["value"])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// refusedField checks that an error names a field, with a reason that contains why.
func refusedField(t *testing.T, what string, err error, field, why string) {
	t.Helper()
	e := storage.Explain(err)
	if err == nil || e.Kind != fault.Invalid || e.Fields["field"] != field || !strings.Contains(e.Detail, why) {
		t.Errorf("%s: %v, field %v; want field %s: … %s", what, err, e, field, why)
	}
}
