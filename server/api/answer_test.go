package api

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTheSameKeyAnswersAgainAndDoesNothingTwice(t *testing.T) {
	path := dataset(t, "once") + "/commits?mode=append"
	first := must(t, 201, "POST", path, `[{"id":2}]`, "Idempotency-Key", "k1")
	again := must(t, 201, "POST", path, `[{"id":2}]`, "Idempotency-Key", "k1")
	if first.text != again.text || first.header.Get("Location") != again.header.Get("Location") {
		t.Errorf("%s, then %s", first.text, again.text)
	}
	if first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%v, then %v", first.header, again.header)
	}
	for what, got := range map[string]answer{
		"another body": ask(t, "POST", path, `[{"id":3}]`, "Idempotency-Key", "k1"),
		"another URL":  ask(t, "POST", path+"&message=m", `[{"id":2}]`, "Idempotency-Key", "k1"),
	} {
		if got.status != 422 && got.status != 409 {
			t.Errorf("%s under the key: %d %s", what, got.status, got.text)
		}
	}
	if head := must(t, 200, "GET", datasets+"/once", "").body["head"]; head != first.body["id"] {
		t.Errorf("the head is %v", head)
	}
}

func TestAWriteThatIsDoneLaterSaysWhereItsProgressIs(t *testing.T) {
	path := dataset(t, "later")
	promised := must(t, 202, "POST", path+"/commits?mode=append", `[{"id":2}]`, "Prefer", "respond-async")
	where := promised.header.Get("Location")
	if promised.header.Get("Preference-Applied") != "respond-async" || !strings.HasPrefix(where, "/api/v1/progress/") {
		t.Fatalf("%v %s", promised.header, promised.text)
	}
	done := ended(t, where)
	result, _ := done.body["result"].(map[string]any)
	if done.body["progress"] != 100.0 || result["status"] != 201.0 ||
		result["body"].(map[string]any)["records_added"] != 1.0 {
		t.Error(done.text)
	}
}

func TestAWriteIsDoneAtOnceUnlessAPreferenceSaysOtherwise(t *testing.T) {
	path := dataset(t, "preferences") + "/commits?mode=append"
	for i, prefer := range []string{"", "respond-asynchronously", `note="respond-async"`, "respond-async=no"} {
		must(t, 201, "POST", path, fmt.Sprintf(`[{"id":%d}]`, 10+i), "Prefer", prefer)
	}
	must(t, 202, "POST", path, `[{"id":20}]`, "Prefer", "return=minimal, Respond-Async; x=1")
}

// ended waits for a job's end.
func ended(t *testing.T, where string) (got answer) {
	t.Helper()
	for range 500 {
		if got = must(t, 200, "GET", where, ""); got.body["result"] != nil {
			return got
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s has not ended: %s", where, got.text)
	return got
}

func TestAJobThatFailsKeepsItsProblem(t *testing.T) {
	path := dataset(t, "fails")
	promised := must(t, 202, "POST", path+"/restore", `{"ref":"9.9.9"}`, "Prefer", "respond-async")
	failed := ended(t, promised.header.Get("Location"))
	result, _ := failed.body["result"].(map[string]any)
	if failed.body["progress"] != -1.0 || result["status"] != 404.0 ||
		result["body"].(map[string]any)["code"] != "version_not_found" {
		t.Error(failed.text)
	}
	if got := ask(t, "GET", "/api/v1/progress/nothing", ""); got.status != 404 {
		t.Errorf("%d %s", got.status, got.text)
	}
}

func TestRecordsMayBeSentInEachFormatAndCompressed(t *testing.T) {
	path := dataset(t, "formats")
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	fmt.Fprint(w, "id,name\n4,Dario\n")
	w.Close()
	for _, c := range []struct{ body, media, encoding string }{
		{`[{"id":2}]`, "application/json", ""},
		{`{"id":3}`, "application/x-ndjson", ""},
		{zipped.String(), "text/csv; charset=utf-8", "gzip"},
	} {
		must(t, 201, "POST", path+"/commits?mode=append", c.body, "Content-Type", c.media, "Content-Encoding", c.encoding)
	}
	if got := must(t, 200, "GET", path+"/data?columns=id&format=csv", ""); got.text != "id\n1\n2\n3\n4\n" {
		t.Error(got.text)
	}
	for media, want := range map[string]int{"text/html": 415, "": 415, "application/json; =": 415} {
		if got := ask(t, "POST", path+"/commits?mode=append", "[]", "Content-Type", media); got.status != want {
			t.Errorf("%s: %d %s", media, got.status, got.text)
		}
	}
}

func TestACommitThatMakesNoSenseIsRefused(t *testing.T) {
	path := dataset(t, "refusals") + "/commits?"
	for query, field := range map[string]string{
		"":                              "mode",
		"mode=insert":                   "mode",
		"mode=append&where=id%3D1":      "where",
		"mode=append&metadata=%7B":      "metadata",
		"mode=append&expected_head=new": "expected_head",
	} {
		if got := ask(t, "POST", path+query, `[{"id":2}]`); got.status != 422 || got.field() != field {
			t.Errorf("%s: %d %s", query, got.status, got.text)
		}
	}
	if got := ask(t, "POST", path+"mode=append&expected_head=7", `[{"id":2}]`); got.status != 409 {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got := must(t, 422, "POST", path+"mode=delete&where=id%3D1", `[{"id":2}]`); got.body["field"] != "where" {
		t.Error("a condition and a body:", got.body)
	}
	if got := must(t, 201, "POST", path+"mode=delete&where=id%3D1", ""); got.body["records_removed"] != 1.0 {
		t.Error(got.text)
	}
}
