package quartzbio

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// kept returns entries in settings of the test's own.
func kept(t *testing.T) entries {
	t.Helper()
	db, err := settings.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return entries{db}
}

func TestASignedURLIsForOneMethodAndPathUntilItExpires(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := signer{entries: kept(t), now: func() time.Time { return now }}
	const name = "a b+c.json.gz"
	signed, err := s.sign(t.Context(), http.MethodGet, "/file/1", name)
	if err != nil || !strings.Contains(signed, "%3B%20filename%3Da%20b%2Bc.json.gz&") {
		t.Fatal(signed, err)
	}
	app := fiber.New()
	app.All("/file/:id", func(c *fiber.Ctx) error {
		got, err := s.verify(c)
		if refusal, ok := err.(*host.Refusal); ok {
			return c.SendString(refusal.Code)
		}
		if got != name {
			t.Errorf("the file's name is %q", got)
		}
		return err
	})
	ask := func(method, target string) string {
		got, err := app.Test(httptest.NewRequest(method, target, nil), -1)
		if err != nil {
			t.Fatal(err)
		}
		text := make([]byte, 100)
		n, _ := got.Body.Read(text)
		return string(text[:n])
	}
	for _, c := range []struct{ method, target, code string }{
		{"GET", signed, ""}, {"HEAD", signed, ""}, {"PUT", signed, "signature_wrong"},
		{"GET", strings.Replace(signed, "/1", "/2", 1), "signature_wrong"},
		{"GET", strings.Replace(signed, "json", "csv", 1), "signature_wrong"}, {"GET", signed + "0", "signature_wrong"},
		{"GET", strings.Replace(signed, "Expires=1", "Expires=2", 1), "signature_wrong"}, {"GET", "/file/1", "signature_wrong"},
	} {
		if got := ask(c.method, c.target); got != c.code {
			t.Errorf("%s %s: %s, not %s", c.method, c.target, got, c.code)
		}
	}
	now = now.Add(validFor)
	if got := ask("GET", signed); got != "" {
		t.Errorf("at its last second: %s", got)
	}
	now = now.Add(time.Second)
	if got := ask("GET", signed); got != "url_expired" {
		t.Errorf("later: %s", got)
	}
}

func TestServersThatShareTheSettingsSignAlike(t *testing.T) {
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }
	shared := kept(t)
	first, err := signer{shared, now}.sign(t.Context(), "GET", "/x", "")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := (signer{shared, now}).sign(t.Context(), "GET", "/x", ""); err != nil || again != first {
		t.Errorf("%s, %s, %v", first, again, err)
	}
	if other, _ := (signer{kept(t), now}).sign(t.Context(), "GET", "/x", ""); other == first {
		t.Error("another server's key is the same")
	}
}

func TestEntriesAreFoundByKindAndPlace(t *testing.T) {
	s, ctx := kept(t), context.Background()
	at := time.UnixMicro(1_800_000_000_000_000).UTC()
	one := entry{"1", folderKind, 7, "/a", "ada", at, json.RawMessage(`{"x":1}`)}
	for _, e := range []entry{one, {"2", fileKind, 7, "/b", "ada", at, json.RawMessage(`{}`)}} {
		if err := s.put(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	got, ok, err := s.get(ctx, folderKind, "1")
	if err != nil || !ok || got.Path != "/a" || !got.At.Equal(at) || string(got.Document) != `{"x":1}` {
		t.Errorf("%+v, %t, %v", got, ok, err)
	}
	if _, ok, err := s.get(ctx, fileKind, "1"); ok || err != nil {
		t.Errorf("of another kind: %t, %v", ok, err)
	}
	one.Path = "/c"
	if err := s.put(ctx, one); err != nil {
		t.Fatal(err)
	}
	if got, err := s.add(ctx, entry{ID: "1", Kind: folderKind, Path: "/d"}); err != nil || got.Path != "/c" {
		t.Errorf("%+v, %v", got, err)
	}
	if list, err := s.in(ctx, folderKind, 7); err != nil || len(list) != 1 || list[0].Path != "/c" {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err := s.of(ctx, fileKind, "/b"); err != nil || len(list) != 1 || s.remove(ctx, "2") != nil {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err := s.in(ctx, fileKind, 7); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestNamesOfDatasetsArePaths(t *testing.T) {
	first, other := vault{id: home, name: "1"}, vault{id: 3, name: "Shared"}
	for name, want := range map[string]string{
		"people": "rowback:1:/people", "a:b:people": "rowback:1:/a/b/people", "user-5:x:y": "rowback:user-5:/x/y",
		"user-five:x": "rowback:1:/user-five/x", "user-0:x": "rowback:1:/user-0/x",
	} {
		s := snapshot.State{Properties: catalog.Properties{Name: name}}
		o := datasetObject(first, s)
		if o.fullPath() != want || o.vault.nameOf(o.path) != name {
			t.Errorf("%s: %s, and back %s", name, o.fullPath(), o.vault.nameOf(o.path))
		}
		if o := datasetObject(other, s); o.vault.id != 3 {
			t.Errorf("%s of project 3 is in %s", name, o.fullPath())
		}
	}
	if v, p, ok := readFolderID(folderID(personal(5), "/a/ü")); !ok || v != -5 || p != "/a/ü" {
		t.Error(v, p, ok)
	}
	for _, wrong := range []string{"f-", "f-eA", "f-*", folderPrefix + "MTp4"} {
		if v, p, ok := readFolderID(wrong); ok {
			t.Errorf("%s is %d %s", wrong, v, p)
		}
	}
	for id, is := range map[string]bool{"d_1": true, "d": false, "d_": false, "d_x": false, "d_01": false, "d_-1": true} {
		if _, _, ok := split(id); ok != is {
			t.Errorf("%s: %t", id, ok)
		}
	}
}

func TestRecordsGetTheIDsThatADatasetKnows(t *testing.T) {
	key := schema.Schema{Columns: []schema.Column{
		{ID: 1, Name: "team", Type: schema.Of(schema.Varchar)}, {ID: 2, Name: "n", Type: schema.Of(schema.Bigint)},
	}, Key: []int{1, 2}}
	for _, c := range []struct {
		of       ids
		in, want string
	}{
		{ids{schema.Schema{}, true}, `{"_id":"x","a":1.0,"_commit":"c"}`, `{"a":1.0}`},
		{ids{schema.Schema{}, false}, `{"b":1,"_id":"17","a":2}`, `{"b":1,"a":2,"_id":17}`},
		{ids{schema.Schema{}, false}, `{"_id":17}`, `{"_id":17}`}, {ids{schema.Schema{}, false}, `{"_id":null}`, `{}`},
		{ids{schema.Schema{}, false}, `{"_id":"x"}`, ""}, {ids{schema.Schema{}, false}, `{"_id":"017"}`, ""},
		{ids{key, false}, `{"_id":"[\"a\",\"5\"]"}`, `{"team":"a","n":5}`},
		{ids{key, false}, `{"_id":"[\"a\",\"5\"]","team":"b"}`, `{"team":"b","n":5}`}, {ids{key, false}, `{"_id":"a"}`, ""},
	} {
		var record row
		if err := json.Unmarshal([]byte(c.in), &record); err != nil {
			t.Fatal(err)
		}
		text, err := rewriting{ids: c.of}.apply(context.Background(), &record)
		if string(text) != c.want || (err != nil) != (c.want == "") || err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %s, %v", c.in, text, err)
		}
	}
}

func TestFieldsThatDependOnEachOtherAreRefused(t *testing.T) {
	of := func(name, on string) fieldIn { return fieldIn{Name: name, DependsOn: []string{on}} }
	if _, err := newAnnotator([]fieldIn{of("a", "b"), of("b", "a")}, scope{}, true); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
	a, err := newAnnotator([]fieldIn{of("a", "b"), of("b", "x")}, scope{}, true)
	if err != nil || a.fields[0].Name != "b" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestPatternsOfPathsNameObjects(t *testing.T) {
	const own = "rowback:user-7"
	for _, one := range []struct{ glob, names, not string }{
		{"~/", "", own + ":/a"},
		{"~/a", own + ":/a", own + ":/a/b"},
		{"~/*", own + ":/a.csv", own + ":/a/b"},
		{"/a/?.csv", own + ":/a/b.csv", own + ":/a/bb.csv"},
		{"a/b", own + ":/a/b", own + ":/a"},
		{"~/**", own + ":/a/b/c", "rowback:Shared:/a"},
		{"Shared:/a/", "rowback:Shared:/a", "rowback:Other:/a"},
		{"rowback:Shared:/a+b*", "rowback:Shared:/a+bé", "rowback:Shared:/aab"},
		{"*/**", "rowback:Shared:/a/b", ""},
		{"*:/a", own + ":/a", own + ":/b"},
	} {
		pattern, err := globbed(one.glob, own)
		if err != nil {
			t.Fatal(one.glob, err)
		}
		if one.names != "" && !pattern.MatchString(one.names) || one.not != "" && pattern.MatchString(one.not) {
			t.Errorf("%s is %s", one.glob, pattern)
		}
	}
}

func TestWorkWhoseJobWasLostHasFailed(t *testing.T) {
	store, err := storage.Open(t.Context(), t.TempDir(), storage.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	p, err := (&Face{store: store}).progressOf(t.Context(), entry{ID: "lost", Kind: importKind})
	if err != nil || p.status != failedStatus || p.failure == "" {
		t.Fatal(p, err)
	}
}

// Numbers of more than 64 bits and decimals are not what a float64 makes of them.
func TestWhatTargetFieldsDoNotComputeStaysAsItIsWritten(t *testing.T) {
	text := "upper(record.a)"
	a, err := newAnnotator([]fieldIn{{Name: "b", Expression: &text}}, scope{}, true)
	if err != nil {
		t.Fatal(err)
	}
	var record row
	in := `"a":"x","n":18446744073709551615,"d":0.12345678901234567890123,"e":1e400,"l":[9007199254740993.5]`
	if err := json.Unmarshal([]byte("{"+in+"}"), &record); err != nil {
		t.Fatal(err)
	}
	out, err := rewriting{annotator: a}.apply(context.Background(), &record)
	if want := "{" + in + `,"b":"X"}`; err != nil || string(out) != want {
		t.Errorf("%s, %v; want %s", out, err, want)
	}
}

// A body with a list of millions of short elements would take gigabytes of memory.
func TestListsOfRequestsAreBounded(t *testing.T) {
	for _, text := range []string{
		`{"data_records": [` + strings.Repeat("1,", maxRecords) + `1]}`,
		`{"target_fields": [` + strings.Repeat("{},", maxRecords) + `{}]}`,
		`{"manifest": {"files": [` + strings.Repeat("{},", maxRecords) + `{}]}}`,
	} {
		var in importIn
		if err := decode([]byte(text), &in); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "5001") {
			t.Errorf("%.30s: %v", text, err)
		}
	}
	var in importIn
	text := `{"data_records": [` + strings.Repeat(`{"a": [",\"", 1, 2]},`, maxRecords-1) + `{}], "target_fields": null}`
	if err := decode([]byte(text), &in); err != nil || len(in.DataRecords) != maxRecords || in.TargetFields != nil {
		t.Errorf("%d records, %v", len(in.DataRecords), err)
	}
	if err := decode([]byte(`{"target_fields": [{"nam": 1}]}`), &in); err == nil || !strings.Contains(err.Error(), "'nam'") {
		t.Errorf("an unknown field within a list: %v", err)
	}
}

func TestFilesBeforeOneThatIsRefusedAreNamed(t *testing.T) {
	refusal := fault.Errorf(fault.Invalid, "malformed_json", "It is not valid JSON.")
	if err := afterParts(refusal, 0); err != error(refusal) {
		t.Error(err)
	}
	if err := afterParts(refusal, 2); !strings.HasPrefix(err.Error(), "File 3: It is not valid JSON. The files before") {
		t.Error(err)
	}
	if err := afterParts(context.Canceled, 2); err != context.Canceled {
		t.Error(err)
	}
}
