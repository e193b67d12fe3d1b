package audit_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/rowback/rowback/server/audit"
)

// goldenHead is the head of the log in testdata, which the program of 29 November 2026 made.
var goldenHead = audit.Head{
	Number: 8, Hash: "c1c35f62dd5a508cf47f5722b37a395278b1376c011d2573a3d054dce117df25",
}

// goldenEntries are what it has between its start and its stop.
var goldenEntries = []audit.Entry{
	{Kind: audit.Write, Request: "r1", Face: "http", User: "ada", Token: "tok_1", Address: "10.0.0.0/8", Project: 1,
		Route: "createCommit", Dataset: "people", ID: "01jd", Commits: []int64{7, 8}, Status: 201},
	{Kind: audit.Read, Face: "http", Address: "2001:db8::/64", Route: "GET /api/v1/datasets/x", Status: 401,
		Code: "unauthorized"},
	{Kind: audit.Query, Face: "flight", User: "Éva", Session: "abc", Route: "DoGet", SQL: audit.HashOf([]byte("SELECT 1"))},
	{Kind: audit.Job, Face: "http", User: "ada", Route: "createCommit", Job: "j1", Status: 422, Code: "invalid_field"},
	{Kind: audit.Login, Face: "shoji", User: "ben", Route: "POST /api/login", Status: 429, Repeated: 3, Detail: "a\tb"},
	{Kind: audit.Write, User: "ada", Route: "acknowledgeAudit", Status: 204, Acknowledged: "00ff"},
}

// A log that an earlier version made is sound, has all that it had, and is continued.
func TestALogOfAnEarlierVersion(t *testing.T) {
	dir, kept := t.TempDir(), &memory{head: goldenHead}
	name := "2026-11-000000000000001.ndjson"
	text, err := os.ReadFile(filepath.Join("testdata", name))
	done(t, err)
	done(t, os.Mkdir(filepath.Join(dir, audit.Folder), 0o700))
	done(t, os.WriteFile(filepath.Join(dir, audit.Folder, name), text, 0o600))
	r := check(t, dir, kept)
	if len(r.Problems) > 0 || r.Last != goldenHead || r.Entries != int64(len(goldenEntries))+2 {
		t.Errorf("%+v", r)
	}
	all := entriesOf(t, dir)
	for i, want := range goldenEntries {
		got := all[i+1]
		want.Number, want.Previous, want.Time = got.Number, got.Previous, got.Time
		if want.Detail != "" {
			want.Detail = "a\uFFFDb" // as it is stored
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	l := open(t, audit.Options{Dir: dir, Keeper: kept})
	l.Append(audit.Entry{Kind: audit.Write, Route: "afterwards"})
	done(t, l.Close())
	if r := check(t, dir, kept); len(r.Problems) > 0 || r.Entries != goldenHead.Number+3 {
		t.Errorf("continued: %+v", r)
	}
}
