package api

import (
	"reflect"
	"strings"
	"testing"
)

// Whatever a request about a dataset does, it looks for the dataset first.
func TestEveryRouteAboutADatasetRefusesOneThatIsNotThere(t *testing.T) {
	routes := 0
	for _, r := range (&API{}).routes() {
		if !strings.HasPrefix(r.path, one) || r.in == nil || wantsMore(reflect.TypeOf(r.in)) {
			continue
		}
		routes++
		path := strings.NewReplacer("{dataset}", "nothing", "{id}", "1", "{variable}", "v", "{tag}", "t",
			"{savepoint}", "s", "{backup}", "b", "{proposal}", "1").Replace(r.path)
		body := ""
		if hasBody(reflect.TypeOf(r.in)) {
			body = "{}"
		}
		if got := ask(t, r.method, path, body); got.status != 404 || !strings.HasPrefix(got.code(), "dataset_") {
			t.Errorf("%s %s: %d %s", r.method, path, got.status, got.text)
		}
	}
	if routes < 35 {
		t.Errorf("only %d routes were asked", routes)
	}
}

// wantsMore reports whether a request needs more than its path.
func wantsMore(in reflect.Type) bool {
	for i := range in.NumField() {
		f := in.Field(i)
		_, path := f.Tag.Lookup("path")
		if f.Anonymous && wantsMore(f.Type) || !path && f.Tag.Get("required") == "true" {
			return true
		}
	}
	return false
}

// A struct that describes a request in the table is the one that the handler fills: what it does not know is refused.
func TestEveryRouteRefusesWhatItsTableEntryDoesNotHave(t *testing.T) {
	for _, r := range (&API{}).routes() {
		if r.in == nil {
			continue
		}
		path := strings.NewReplacer("{", "", "}", "").Replace(r.path)
		got := ask(t, r.method, path+"?no_such_parameter=1", "{}")
		if got.code() != "unknown_parameter" {
			t.Errorf("%s: %d %s", r.id, got.status, got.text)
		}
		for _, name := range namesOfTag(reflect.TypeOf(r.in), "query") {
			// An identity provider sends what it likes.
			if isList(reflect.TypeOf(r.in), name) || r.id == "completeLogin" {
				continue
			}
			if got := ask(t, r.method, path+"?"+name+"=1&"+name+"=2", "{}"); got.field() != name {
				t.Errorf("%s: %s twice is %d %s", r.id, name, got.status, got.text)
			}
		}
	}
}

func TestViewsAreNeverNull(t *testing.T) {
	if got := views(nil, func(int) string { return "x" }); got == nil || len(got) != 0 {
		t.Errorf("%#v", got)
	}
	if got := views([]int{1, 2}, func(n int) int { return -n }); !reflect.DeepEqual(got, []int{-1, -2}) {
		t.Error(got)
	}
}

func TestATagIsMadeMovedAndRemoved(t *testing.T) {
	path := dataset(t, "tagged")
	first := must(t, 200, "GET", path, "").body["head"]
	made := must(t, 201, "POST", path+"/tags", `{"name":"reviewed.2026","description":"d"}`)
	if made.header.Get("Location") == "" || made.body["commit_id"] != first {
		t.Error(made.header, made.text)
	}
	at := path + "/tags/reviewed.2026"
	if got := must(t, 200, "GET", at, ""); got.body["name"] != "reviewed.2026" || got.body["description"] != "d" {
		t.Error(got.text)
	}
	if got := must(t, 409, "POST", path+"/tags", `{"name":"reviewed.2026"}`); got.code() != "tag_exists" {
		t.Error(got.text)
	}
	second := must(t, 201, "POST", path+"/commits?mode=append", `[{"id":2}]`).body["id"]
	moved := must(t, 200, "PATCH", at+"?dry_run=true", `{"ref":"head"}`)
	if moved.body["dry_run"] != true || moved.body["commit_id"] != second {
		t.Error(moved.text)
	}
	if got := must(t, 200, "GET", at, ""); got.body["commit_id"] != first {
		t.Errorf("a dry run has moved the tag: %s", got.text)
	}
	must(t, 409, "PATCH", at+"?expected_head=1", `{"ref":"head"}`)
	moved = must(t, 200, "PATCH", at, `{"ref":"head"}`)
	if moved.body["commit_id"] != second || moved.body["description"] != "d" {
		t.Error(moved.text)
	}
	if got := must(t, 200, "GET", path+"/data?ref=reviewed.2026&format=csv&columns=id", ""); got.text != "id\n1\n2\n" {
		t.Error(got.text)
	}
	must(t, 200, "DELETE", at+"?dry_run=true", "")
	must(t, 204, "DELETE", at, "")
	if got := must(t, 404, "DELETE", at, ""); got.code() != "tag_not_found" && got.code() != "ref_not_found" {
		t.Error(got.text)
	}
	if got := must(t, 200, "GET", path+"/tags", ""); got.text != `{"tags":[]}` {
		t.Error(got.text)
	}
}

func TestAWritesDryRunLeavesNothing(t *testing.T) {
	path := dataset(t, "dry")
	before := must(t, 200, "GET", path, "").text
	for _, c := range []struct{ method, target, body string }{
		{"POST", "/commits?mode=append&dry_run=true", `[{"id":2}]`},
		{"POST", "/savepoints?dry_run=true", `{}`},
		{"POST", "/tags?dry_run=true", `{"name":"x"}`},
		{"POST", "/forks?dry_run=true", `{"name":"dry fork"}`},
		{"POST", "/variables?dry_run=true", `{"name":"v"}`},
		{"PATCH", "/variables/name?dry_run=true", `{"title":"T"}`},
		{"DELETE", "/variables/name?dry_run=true", ``},
		{"PATCH", "?dry_run=true", `{"description":"d"}`},
		{"POST", "/backups?dry_run=true", `{}`},
		{"DELETE", "?dry_run=true", ``},
	} {
		if got := ask(t, c.method, path+c.target, c.body); got.status != 200 || got.body["dry_run"] != true {
			t.Errorf("%s %s: %d %s", c.method, c.target, got.status, got.text)
		}
	}
	if after := must(t, 200, "GET", path, "").text; after != before {
		t.Errorf("%s\nbecame\n%s", before, after)
	}
	for _, list := range []string{"savepoints", "tags", "forks", "backups"} {
		got := must(t, 200, "GET", path+"/"+list, "")
		if entries, _ := got.body[list].([]any); len(entries) > 0 && list != "savepoints" {
			t.Errorf("%s: %s", list, got.text)
		}
	}
}
