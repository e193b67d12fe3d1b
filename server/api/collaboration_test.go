package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/fault"
)

func TestATimeIsReadAsRFC3339(t *testing.T) {
	if got, err := moment("since", "2026-01-31T10:00:00+01:00"); err != nil ||
		!got.Equal(time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)) {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := moment("since", ""); err != nil || !got.IsZero() {
		t.Errorf("%s, %v", got, err)
	}
	for _, text := range []string{"yesterday", "2026-01-31", "2026-01-31 10:00:00"} {
		if _, err := moment("since", text); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestActionsAreFilteredByKeyUserAndTime(t *testing.T) {
	for query, want := range map[string]int{
		"":                                   3,
		"?key=Dataset.append":                1,
		"?key=Dataset.append,Dataset.delete": 2,
		"?user=nobody":                       0,
		"?user=anonymous":                    3,
		"?since=2999-01-01T00:00:00Z":        0,
		"?until=2999-01-01T00:00:00Z":        3,
	} {
		got := must(t, 200, "GET", employees+"/actions"+query, "")
		if n := len(got.body["actions"].([]any)); n != want {
			t.Errorf("%s: %d actions, want %d: %s", query, n, want, got.text)
		}
	}
	for query, field := range map[string]string{
		"?key=Dataset.explode": "key", "?since=soon": "since", "?until=late": "until", "?limit=0": "limit",
	} {
		if got := ask(t, "GET", employees+"/actions"+query, ""); got.status != 422 || got.field() != field {
			t.Errorf("%s: %d %s", query, got.status, got.text)
		}
	}
}

func TestCommitsAreFilteredByModeUserTextAndTime(t *testing.T) {
	log := dataset(t, "searched")
	must(t, 201, "POST", log+"/commits?mode=upsert&message=%C3%89t%C3%A9%20imports", `[{"id":2}]`)
	must(t, 201, "POST", log+"/commits?mode=delete", `[{"id":1}]`)
	for query, want := range map[string]int{
		"":                            3,
		"?mode=append":                1,
		"?mode=append,delete":         2,
		"?mode=append&user=nobody":    0,
		"?user=anonymous":             3,
		"?text=%C3%A9T%C3%89%20im":    1,
		"?text=nothing":               0,
		"?since=2999-01-01T00:00:00Z": 0,
		"?until=2999-01-01T00:00:00Z": 3,
		"?mode=append,delete,upsert,schema&limit=2": 2,
	} {
		got := must(t, 200, "GET", log+"/commits"+query, "")
		if n := len(got.body["commits"].([]any)); n != want {
			t.Errorf("%s: %d commits, want %d: %s", query, n, want, got.text)
		}
	}
	first := must(t, 200, "GET", log+"/commits?mode=append,delete&limit=1", "")
	next := must(t, 200, "GET", log+"/commits?mode=append,delete&limit=1&cursor="+first.body["next_cursor"].(string), "")
	if next.body["next_cursor"] != nil || !strings.Contains(next.text, `"mode":"append"`) {
		t.Error(next.text)
	}
	for query, field := range map[string]string{"?mode=explode": "mode", "?since=soon": "since", "?until=late": "until"} {
		if got := ask(t, "GET", log+"/commits"+query, ""); got.status != 422 || got.field() != field {
			t.Errorf("%s: %d %s", query, got.status, got.text)
		}
	}
}

func TestANumberInAPathHasOneForm(t *testing.T) {
	d := dataset(t, "commented")
	fork := must(t, 201, "POST", d+"/forks", `{"name":"commented by others"}`).body["id"]
	must(t, 201, "POST", datasets+"/commented%20by%20others/commits?mode=append", `[{"id":70}]`)
	must(t, 201, "POST", d+"/proposals", fmt.Sprintf(`{"source":%q,"title":"a"}`, fork))
	must(t, 201, "POST", d+"/proposals/1/comments", `{"text":"Is it?"}`)
	must(t, 201, "POST", d+"/compare/comments?from=head", `{"text":"Is it?"}`)
	for _, number := range []string{"+1", "%2B1", "01", "1.0", "-1", "0"} {
		for path, body := range map[string]string{
			"/proposals/" + number:                       `{"title":"b"}`,
			"/proposals/1/comments/" + number:            `{"text":"It is."}`,
			"/proposals/" + number + "/comments/1":       `{"text":"It is."}`,
			"/compare/comments/" + number + "?from=head": `{"text":"It is."}`,
		} {
			if got := ask(t, "PATCH", d+path, body); got.status != 404 {
				t.Errorf("%s: %d %s", path, got.status, got.text)
			}
		}
	}
	must(t, 200, "PATCH", d+"/proposals/1/comments/1", `{"text":"It is."}`)
	must(t, 200, "PATCH", d+"/compare/comments/1?from=head", `{"text":"It is."}`)
}

func TestAnActionIsFoundByItsCommitOrItsHash(t *testing.T) {
	byID := must(t, 200, "GET", employees+"/actions/2", "")
	byHash := must(t, 200, "GET", employees+"/actions/"+fmt.Sprint(byID.body["hash"]), "")
	if byID.text != byHash.text || byID.body["commit_id"] != 2.0 {
		t.Errorf("%s, %s", byID.text, byHash.text)
	}
	for ref, code := range map[string]string{"99999": "commit_not_found", "abc": "action_not_found"} {
		if got := ask(t, "GET", employees+"/actions/"+ref, ""); got.status != 404 || got.code() != code {
			t.Errorf("%s: %d %s", ref, got.status, got.text)
		}
	}
}

func TestAForkIsMergedBack(t *testing.T) {
	path := dataset(t, "upstream")
	fork := must(t, 201, "POST", path+"/forks", `{"name":"fork"}`)
	must(t, 201, "POST", datasets+"/fork/commits?mode=append", `[{"id":2,"name":"Ben"}]`)
	since := must(t, 200, "GET", datasets+"/fork/actions/since_forking", "")
	if len(since.body["actions"].([]any)) != 1 || since.body["dataset"].(map[string]any)["id"] != fork.body["id"] {
		t.Error(since.text)
	}
	dry := must(t, 200, "POST", path+"/merges", `{"source":"fork","dry_run":true}`)
	if dry.body["commit"] != nil || len(dry.body["played"].([]any)) != 1 {
		t.Error(dry.text)
	}
	merged := must(t, 201, "POST", path+"/merges", `{"source":"fork"}`)
	if got := must(t, 200, "GET", merged.header.Get("Location"), ""); len(got.body["played"].([]any)) != 1 {
		t.Error(got.text)
	}
	if again := must(t, 200, "POST", path+"/merges", `{"source":"fork"}`); again.body["commit"] != nil {
		t.Error(again.text)
	}
	if got := must(t, 200, "GET", path+"/merges", ""); len(got.body["merges"].([]any)) != 1 {
		t.Error(got.text)
	}
	if got := must(t, 200, "GET", path+"/forks", ""); len(got.body["forks"].([]any)) != 1 {
		t.Error(got.text)
	}
	if got := ask(t, "GET", employees+"/merges/1", ""); got.status != 404 || got.code() != "merge_not_found" {
		t.Errorf("%d %s", got.status, got.text)
	}
}

func TestASavepointIsMadeOnceForAHeadAndRevertedTo(t *testing.T) {
	path := dataset(t, "saved") // whose first commit has a savepoint
	must(t, 201, "POST", path+"/commits?mode=append", `[{"id":2}]`)
	made := must(t, 201, "POST", path+"/savepoints", `{"description":"before"}`)
	again := must(t, 303, "POST", path+"/savepoints", `{"description":"again"}`)
	where := made.header.Get("Location")
	if where == "" || again.header.Get("Location") != where || again.body["id"] != made.body["id"] {
		t.Errorf("%s, %s", made.text, again.text)
	}
	if got := must(t, 200, "PATCH", where, `{"description":"better"}`); got.body["description"] != "better" {
		t.Error(got.text)
	}
	if got := ask(t, "PATCH", where, `{}`); got.status != 422 || got.field() != "description" {
		t.Errorf("%d %s", got.status, got.text)
	}
	must(t, 201, "POST", path+"/commits?mode=append", `[{"id":3}]`)
	must(t, 201, "POST", where+"/revert", "")
	if got := must(t, 200, "GET", path, ""); got.body["records_total"] != 2.0 {
		t.Error(got.text)
	}
	if got := must(t, 200, "GET", path+"/savepoints", ""); len(got.body["savepoints"].([]any)) != 2 {
		t.Error(got.text)
	}
}

func TestAVariableIsMadeChangedAndDropped(t *testing.T) {
	path := dataset(t, "described")
	made := must(t, 201, "POST", path+"/variables", `{"name":"shout","derivation":"upper(name)"}`)
	where := made.header.Get("Location")
	if made.body["type"] != "VARCHAR" || made.body["commit"] == nil || where == "" {
		t.Error(made.text)
	}
	changed := must(t, 200, "PATCH", where, `{"name":"cry","description":"loud"}`)
	if changed.body["name"] != "cry" || changed.body["commit"] == nil {
		t.Error(changed.text)
	}
	if same := must(t, 200, "PATCH", where, `{"name":"cry"}`); same.body["commit"] != nil {
		t.Error(same.text)
	}
	if got := must(t, 200, "GET", path+"/variables/CRY", ""); got.body["id"] != made.body["id"] {
		t.Error(got.text)
	}
	must(t, 200, "DELETE", where, "")
	if got := ask(t, "GET", path+"/variables/cry", ""); got.status != 404 || got.code() != "variable_not_found" {
		t.Errorf("%d %s", got.status, got.text)
	}
}

func TestACommitIsRolledBackUnlessLaterOnesAreInTheWay(t *testing.T) {
	path := dataset(t, "rolled")
	first := must(t, 200, "GET", path+"/commits", "").body["commits"].([]any)[0].(map[string]any)
	second := must(t, 201, "POST", path+"/commits?mode=upsert", `[{"id":1,"name":"Eve"}]`)
	way := fmt.Sprintf("%s/commits/%v/rollback", path, first["id"])
	asked := must(t, 200, "GET", way, "")
	refused := must(t, 409, "POST", way, "")
	for what, got := range map[string]answer{"asked": asked, "refused": refused} {
		blockers, _ := got.body["blocking_commits"].([]any)
		if len(blockers) != 1 || blockers[0].(map[string]any)["id"] != second.body["id"] {
			t.Errorf("%s: %s", what, got.text)
		}
	}
	must(t, 201, "POST", second.header.Get("Location")+"/rollback", "")
	if got := must(t, 200, "GET", second.header.Get("Location"), ""); got.body["status"] != "rolled_back" {
		t.Error(got.text)
	}
}

func TestABackupIsKeptRestoredAndRemoved(t *testing.T) {
	path := dataset(t, "kept")
	made := must(t, 201, "POST", path+"/backups", `{"description":"monthly"}`)
	where := made.header.Get("Location")
	archive := must(t, 200, "GET", where+"/archive.tar", "")
	if float64(len(archive.text)) != made.body["bytes"] ||
		archive.header.Get("ETag") != fmt.Sprintf("%q", made.body["sha256"]) {
		t.Errorf("%d bytes, %v: %s", len(archive.text), archive.header, made.text)
	}
	must(t, 201, "POST", path+"/commits?mode=append", `[{"id":2}]`)
	must(t, 201, "POST", where+"/restore", "")
	if got := must(t, 200, "GET", path, ""); got.body["records_total"] != 1.0 {
		t.Error(got.text)
	}
	anew := must(t, 201, "POST", "/api/v1/backups?name=kept%20anew", archive.text, "Content-Type", "application/x-tar")
	if anew.body["name"] != "kept anew" || anew.body["records_total"] != 1.0 {
		t.Error(anew.text)
	}
	must(t, 204, "DELETE", where, "")
	must(t, 404, "GET", where, "")
}

func TestAParquetFileIsReadInParts(t *testing.T) {
	const path = employees + "/data.parquet?ref=1.0.0"
	whole := must(t, 200, "GET", path, "")
	tag := whole.header.Get("ETag")
	if whole.text[:4] != "PAR1" || tag == "" || whole.header.Get("X-Rowback-Commit") != "1" {
		t.Fatalf("%v", whole.header)
	}
	if got := must(t, 206, "GET", path, "", "Range", "bytes=-4"); got.text != "PAR1" || got.header.Get("ETag") != tag {
		t.Errorf("%q, %v", got.text, got.header)
	}
	must(t, 304, "GET", path, "", "If-None-Match", tag)
	must(t, 412, "GET", path, "", "If-Match", `"another"`)
	past := must(t, 416, "GET", path, "", "Range", "bytes=999999-")
	if past.header.Get("Content-Range") != fmt.Sprintf("bytes */%d", len(whole.text)) {
		t.Error(past.header)
	}
	if got := must(t, 200, "HEAD", path, ""); got.text != "" ||
		got.header.Get("Content-Length") != fmt.Sprint(len(whole.text)) {
		t.Error(got.header)
	}
	for _, file := range []string{"data.parquet", "rollback.parquet"} {
		if got := must(t, 200, "GET", employees+"/commits/2/"+file, ""); got.text[:4] != "PAR1" {
			t.Errorf("%s: %.20q", file, got.text)
		}
	}
	must(t, 404, "GET", employees+"/commits/1/rollback.parquet", "")
}
