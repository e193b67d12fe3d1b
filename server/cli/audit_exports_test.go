package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/facetest"
)

// Whatever has records or files in its answer is in the audit log, with who got it and what it is of, on every face.
func TestExportsAreRecorded(t *testing.T) {
	w := newAccessWorld(t)
	w.serveFlight(t)
	d := "/api/v1/datasets/" + w.ids[own]
	w.root(t, 201, "POST", d+"/commits?mode=upsert", `[{"id":1,"v":"changed"}]`)
	last := w.root(t, 200, "GET", d+"/commits?limit=1", "")["commits"].([]any)[0].(map[string]any)["id"]
	commit := fmt.Sprintf("%s/commits/%.0f", d, last)
	kept := w.root(t, 201, "POST", d+"/backups", `{}`)["id"].(string)
	reader := w.callers[4]
	for _, c := range []struct{ kind, method, target, body, project string }{
		{audit.Export, "GET", d + "/data", "", ""},
		{audit.Export, "GET", d + "/data?format=csv&columns=v", "", ""},
		{audit.Export, "GET", d + "/data?key=1", "", ""},
		{audit.Export, "GET", d + "/data.parquet", "", ""},
		{audit.Export, "GET", commit + "/data.parquet", "", ""},
		{audit.Export, "GET", commit + "/rollback.parquet", "", ""},
		{audit.Export, "GET", d + "/history?key=1", "", ""},
		{audit.Export, "GET", d + "/diff?from=1.0.0", "", ""},
		{audit.Export, "GET", d + "/backups/" + kept + "/archive.tar", "", ""},
		{audit.Export, "GET", "/api/datasets/" + w.ids[own] + "/table/", "", ""},
		{audit.Query, "GET", "/api/v1/query?sql=SELECT+*+FROM+d&project_id=1", "", ""},
		{audit.Query, "POST", "/api/v1/query", `{"sql":"SELECT * FROM d","project_id":1}`, ""},
		{audit.Query, flightMethod, "GetFlightInfo CommandStatementQuery", ofD, "1"},
	} {
		before := w.audited.State().Number
		var got facetest.Answer
		if c.method == flightMethod {
			got = w.flight.ask(t, c.target, c.body, reader.token, c.project)
		} else {
			got = w.is(t, reader.token, 200, c.method, c.target, c.body)
		}
		if got.Status != 200 {
			t.Errorf("%s: %d %s", c.target, got.Status, got.Text)
		}
		var found []string
		for _, e := range w.entriesAfter(t, before) {
			found = append(found, fmt.Sprint(e["kind"], " by ", e["user_name"], " of ", e["dataset_id"], " in ", e["project_id"],
				", SQL: ", e["sql_sha256"] != nil))
		}
		want := fmt.Sprint(c.kind, " by the reader of ", w.ids[own], " in 1, SQL: false")
		if c.kind == audit.Query {
			want = c.kind + " by the reader of <nil> in 1, SQL: true"
		}
		if strings.Join(found, "; ") != want {
			t.Errorf("%s %s: %q, want %q", c.method, c.target, found, want)
		}
	}
}

// entriesAfter returns the entries of the audit log after one.
func (w *accessWorld) entriesAfter(t *testing.T, number int64) (out []map[string]any) {
	t.Helper()
	got := w.as(t, rootToken, 200, "GET", fmt.Sprintf("/api/v1/audit?format=ndjson&after=%d", number), "")
	for line := range strings.Lines(got.Text) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(line, err)
		}
		out = append(out, e)
	}
	return out
}
