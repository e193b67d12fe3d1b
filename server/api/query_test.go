package api

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/fault"
)

func TestAStatementMayTakeWhatIsAskedForAndNoMoreThanTheServerAllows(t *testing.T) {
	const most = time.Minute
	for asked, want := range map[int64]time.Duration{
		1: time.Millisecond, 60_000: most, 60_001: most, 1 << 62: most, 1500: 1500 * time.Millisecond,
	} {
		if got, err := (queryIn{TimeoutMS: &asked}).timeout(most); got != want || err != nil {
			t.Errorf("%d: %s, %v", asked, got, err)
		}
	}
	if got, err := (queryIn{}).timeout(most); got != most || err != nil {
		t.Errorf("none: %s, %v", got, err)
	}
	for _, asked := range []int64{0, -1} {
		if _, err := (queryIn{TimeoutMS: &asked}).timeout(most); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%d: %v", asked, err)
		}
	}
}

func TestAStatementCanBePostedOrLinkedTo(t *testing.T) {
	const sql = `SELECT name FROM "employees@1.0.0" WHERE id >= $1 ORDER BY name`
	want := "name\nBen\nChitra\n"
	posted := must(t, 200, "POST", "/api/v1/query",
		`{"sql":"`+strings.ReplaceAll(sql, `"`, `\"`)+`","params":[2],"format":"csv"}`)
	linked := must(t, 200, "GET", "/api/v1/query?format=csv&params=%5B2%5D&sql="+url.QueryEscape(sql), "")
	if posted.text != want || linked.text != want {
		t.Errorf("%q, %q", posted.text, linked.text)
	}
	cut := must(t, 200, "GET", "/api/v1/query?format=csv&limit=1&params=%5B2%5D&sql="+url.QueryEscape(sql), "")
	if cut.text != "name\nBen\n" || cut.header.Get("X-Rowback-Truncated") != "limit" {
		t.Errorf("%q, %v", cut.text, cut.header)
	}
}

// The query parameter wins over the field of the body, and both over Accept.
func TestTheFormatOfAStatementsResult(t *testing.T) {
	for _, c := range []struct{ target, body, accept, want string }{
		{"/api/v1/query?format=csv", `{"sql":"SELECT 1 AS a","format":"ndjson"}`, "application/json",
			"text/csv; charset=utf-8"},
		{"/api/v1/query", `{"sql":"SELECT 1 AS a","format":"ndjson"}`, "text/csv", "application/x-ndjson"},
		{"/api/v1/query", `{"sql":"SELECT 1 AS a"}`, "text/csv", "text/csv; charset=utf-8"},
		{"/api/v1/query", `{"sql":"SELECT 1 AS a"}`, "", "application/json"},
	} {
		got := must(t, 200, "POST", c.target, c.body, "Accept", c.accept)
		if got.header.Get("Content-Type") != c.want {
			t.Errorf("%+v: %s", c, got.header.Get("Content-Type"))
		}
	}
}

func TestAStatementThatCanNotBeAnsweredIsRefused(t *testing.T) {
	for body, status := range map[string]int{
		`{}`:                                          422,
		`{"sql":"DROP TABLE employees"}`:              422,
		`{"sql":"SELECT 1","timeout_ms":0}`:           422,
		`{"sql":"SELECT 1","limit":"all"}`:            422,
		`{"sql":"SELECT 1","format":"xlsx"}`:          422,
		`{"sql":"SELECT * FROM nobody"}`:              404,
		`{"sql":"SELECT $1","params":[1,2]}`:          422,
		`{"sql":"SELECT * FROM \"employees@9.9.9\""}`: 404,
	} {
		if got := ask(t, "POST", "/api/v1/query", body); got.status != status || got.code() == "" {
			t.Errorf("%s: %d %s", body, got.status, got.text)
		}
	}
}
