package api

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

func TestTheDensestSpanHasTheMostVersions(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	made := func(minutes ...int) (out []catalog.Version) {
		for _, m := range minutes {
			out = append(out, catalog.Version{CreatedAt: start.Add(time.Duration(m) * time.Minute)})
		}
		return out
	}
	for _, c := range []struct {
		made []catalog.Version
		span time.Duration
		most int
		took time.Duration
	}{
		{nil, time.Hour, 0, 0},
		{made(0), 0, 1, 0},
		{made(0, 0, 0), 0, 3, 0},
		{made(0, 60), time.Hour, 2, time.Hour},
		{made(0, 61), time.Hour, 1, 0},
		{made(0, 50, 100, 110, 120, 500), time.Hour, 3, time.Hour},
		{made(0, 10, 20, 100, 130), 30 * time.Minute, 3, 20 * time.Minute},
		{made(0, 10, 20, 100, 130), 24 * time.Hour, 5, 130 * time.Minute},
	} {
		if most, took := densest(c.made, c.span); most != c.most || took != c.took {
			t.Errorf("%d versions, %s: %d in %s, want %d in %s", len(c.made), c.span, most, took, c.most, c.took)
		}
	}
}

const monitor = "/api/v1/monitor/versions?project_id=60"

// health asks for the version health of project 60, and returns its issues.
func health(t *testing.T, query string) []string {
	t.Helper()
	got := must(t, 200, "GET", monitor+query, "")
	var out []string
	for _, issue := range got.body["issues"].([]any) {
		out = append(out, issue.(string))
	}
	if healthy := len(out) == 0; got.body["healthy"] != healthy {
		t.Errorf("healthy is %v: %s", got.body["healthy"], got.text)
	}
	return out
}

func TestTheMonitorFindsWhatIsNoteworthyAboutVersions(t *testing.T) {
	increment := func(name string) {
		must(t, 200, "POST", versions+"/increment", fmt.Sprintf(`{"project_id":60,"dataset_name":%q,"force":true}`, name))
	}
	append := func(name string, id int) {
		must(t, 201, "POST", fmt.Sprintf("%s/%s/commits?mode=append&project_id=60", datasets, name),
			fmt.Sprintf(`[{"id":%d}]`, id))
	}
	if found := health(t, ""); len(found) != 0 {
		t.Errorf("an empty project: %q", found)
	}
	for _, name := range []string{"none", "rapid", "gap"} {
		must(t, 201, "POST", datasets, fmt.Sprintf(`{"name":%q,"key":["id"],"project_id":60}`, name))
		append(name, 1)
	}
	increment("rapid")
	increment("rapid")
	increment("rapid")
	increment("gap")
	append("gap", 2)
	want := []string{"Unversioned datasets: none", "Rapid version changes detected: rapid"}
	if found := health(t, ""); strings.Join(found, "; ") != strings.Join(want, "; ") {
		t.Errorf("%q", found)
	}
	if found := health(t, "&rapid_count=4"); len(found) != 1 {
		t.Errorf("4 versions are rapid: %q", found)
	}
	for _, query := range []string{"&gap_commits=1", "&gap_days=-1"} {
		if found := health(t, query); len(found) != 3 || found[2] != "Version gaps detected: gap" {
			t.Errorf("%s: %q", query, found)
		}
	}
	if got := ask(t, "GET", monitor+"&rapid_minutes=soon", ""); got.status != 422 || got.field() != "rapid_minutes" {
		t.Errorf("%d %s", got.status, got.text)
	}
}

func TestAVersionsAgeIsByTheStoresClock(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	store, err := storage.Open(context.Background(), t.TempDir(),
		storage.Options{Threads: 1, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	app, err := application(store, t.TempDir(), host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	gaps := func() any {
		got, err := exchange(app, "GET", "/api/v1/monitor/versions", "")
		if err != nil {
			t.Fatal(err)
		}
		return got.body["version_gaps"]
	}
	for _, step := range []struct{ path, body string }{
		{datasets, `{"name":"old","key":["id"]}`},
		{versions + "/increment", `{"project_id":1,"dataset_name":"old"}`},
		{datasets + "/old/commits?mode=append", `[{"id":1}]`},
	} {
		if got, err := exchange(app, "POST", step.path, step.body); err != nil || got.status >= 300 {
			t.Fatal(step.path, got.text, err)
		}
	}
	if found := gaps(); len(found.([]any)) != 0 {
		t.Errorf("at once: %v", found)
	}
	now = now.AddDate(0, 0, 91)
	if found := gaps(); len(found.([]any)) != 1 {
		t.Errorf("after 91 days: %v", found)
	}
}

func TestSeed000sRoutesAnswerToTheLetter(t *testing.T) {
	dataset(t, "seed")
	body := func(more string) string { return `{"project_id":1,"dataset_name":"seed"` + more + `}` }
	if got := must(t, 200, "POST", versions+"/increment",
		body(`,"version_type":"minor","description":"d"`)); got.body["new_version"] != "1.0.0" ||
		got.body["message"] != "Version incremented to 1.0.0" || got.body["version_id"] == nil {
		t.Error(got.text)
	}
	must(t, 201, "POST", datasets+"/seed/commits?mode=append", `[{"id":2,"name":"Ben"}]`)
	must(t, 200, "POST", versions+"/increment", body(""))
	if got := must(t, 200, "GET", versions+"/latest?project_id=1&dataset_name=seed",
		""); got.text != `{"latest_version":"1.0.1"}` {
		t.Error(got.text)
	}
	compared := must(t, 200, "POST", versions+"/compare", body(`,"version1":"1.0.0","version2":"1.0.1"`))
	if compared.body["summary"] == "" || compared.body["comparison"].(map[string]any)["entries_added"] != 1.0 {
		t.Error(compared.text)
	}
	back := must(t, 200, "POST", versions+"/rollback", body(`,"target_version":"1.0.0"`))
	if back.text != `{"message":"Successfully rolled back to version 1.0.0"}` {
		t.Error(back.text)
	}
	active := must(t, 200, "GET", versions+"?project_id=1&dataset_name=seed", "")
	all := must(t, 200, "GET", versions+"?project_id=1&dataset_name=seed&active_only=false", "")
	if active.body["total"] != 1.0 || all.body["total"] != 2.0 {
		t.Errorf("%s, %s", active.text, all.text)
	}
}

func TestSeed000sRoutesRefuseWhatTheyDoNotFind(t *testing.T) {
	dataset(t, "unversioned")
	for _, c := range []struct {
		method, target, body, code string
		status                     int
	}{
		{"GET", "?dataset_name=employees", "", "invalid_field", 422},
		{"GET", "?project_id=1&dataset_name=nobody", "", "dataset_not_found", 404},
		{"GET", "/latest?project_id=1&dataset_name=unversioned", "", "version_not_found", 404},
		{"POST", "/compare", `{"project_id":1,"dataset_name":"employees","version1":"1.0.0","version2":"3.0.0"}`,
			"version_not_found", 404},
		{"POST", "/compare", `{"project_id":1,"dataset_name":"employees","version1":"1.0.0"}`, "invalid_field", 422},
		{"POST", "/rollback", `{"dataset_name":"employees","target_version":"1.0.0"}`, "invalid_field", 422},
		{"POST", "/increment", `{"project_id":1,"dataset_name":"employees","version_type":"huge"}`, "unknown_version_type",
			422},
	} {
		if got := ask(t, c.method, versions+c.target, c.body); got.status != c.status || got.code() != c.code {
			t.Errorf("%s %s: %d %s", c.method, c.target, got.status, got.text)
		}
	}
}

// The document's list of versions is as it is there; who asks for digests also gets those that were computed.
func TestVersionsWithDigests(t *testing.T) {
	must(t, 201, "POST", datasets, `{"name":"digested","key":["id"],"project_id":61}`)
	must(t, 201, "POST", datasets+"/digested/commits?mode=append&project_id=61", `[{"id":1}]`)
	must(t, 200, "POST", versions+"/increment", `{"project_id":61,"dataset_name":"digested"}`)
	list := func(query string) map[string]any {
		got := must(t, 200, "GET", versions+"?project_id=61&dataset_name=digested"+query, "")
		return got.body["versions"].([]any)[0].(map[string]any)
	}
	if one, has := list("&digests=true")["digest"]; has {
		t.Errorf("%v was computed for a list", one)
	}
	want := must(t, 200, "GET", datasets+"/digested/digest?project_id=61", "").body["digest"]
	if got := list("&digests=true")["digest"]; got != want {
		t.Errorf("the digest is %v, and listed as %v", want, got)
	}
	if one, has := list("")["digest"]; has {
		t.Errorf("the document's list has %v", one)
	}
}
