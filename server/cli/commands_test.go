package cli

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// canned is a server that answers each request as a test says, and writes down what it was asked. Several answers to a
// request are given in turn, the last one again and again.
type canned struct {
	t       *testing.T
	answers map[string][]string // of "METHOD /path": a status, a space and a body
	asked   []string            // METHOD /path?query body
	header  http.Header         // of the last request
}

func (s *canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	line := r.Method + " " + r.URL.EscapedPath()
	asked := line
	if r.URL.RawQuery != "" {
		asked += "?" + r.URL.RawQuery
	}
	s.asked, s.header = append(s.asked, strings.TrimSpace(asked+" "+string(body))), r.Header
	list := s.answers[line]
	if len(list) == 0 {
		s.t.Errorf("the test has no answer to %s", line)
		list = []string{"500 {}"}
	}
	if len(list) > 1 {
		s.answers[line] = list[1:]
	}
	status, text, _ := strings.Cut(list[0], " ")
	var code int
	fmt.Sscan(status, &code)
	w.WriteHeader(code)
	io.WriteString(w, text)
}

// rowback runs a command line against canned answers, and returns what it printed.
func rowback(t *testing.T, line string, answers map[string][]string) (s *canned, out, errors string, code int) {
	t.Helper()
	s = &canned{t: t, answers: answers}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // nobody is logged in
	server := httptest.NewServer(s)
	defer server.Close()
	var printed, failed bytes.Buffer
	code = run(append(strings.Fields(line), "--server", server.URL), console{out: &printed, err: &failed})
	return s, printed.String(), failed.String(), code
}

const d = "/api/v1/datasets/employees"

// Each command asks the server one thing and prints its answer.
func TestCommandsAskAndPrint(t *testing.T) {
	commit := `{"id":7,"mode":"append","records_added":2,"records_removed":1,"records_modified":3,"records_total":9}`
	for _, c := range []struct {
		line    string
		answers map[string][]string
		asked   string
		printed string
	}{
		{"rollback 7", map[string][]string{"POST " + d + "/commits/7/rollback": {"201 " + commit}},
			`POST ` + d + `/commits/7/rollback?project_id=1 {"cascade":false,"message":"","policy":"stack"}`,
			"commit 7: append +2 -1 ~3, 9 records\n"},
		{"rollback 7 --dry-run --cascade", map[string][]string{"POST " + d + "/commits/7/rollback": {
			`200 {"id":7,"mode":"rollback","dry_run":true,"params":{"cascade":[5,4]},"columns_cleared":["a","b"]}`}},
			`POST ` + d + `/commits/7/rollback?dry_run=true&project_id=1 {"cascade":true,"message":"","policy":"stack"}`,
			"would be commit 7: rollback +0 -0 ~0, 0 records\n  with commit 5\n  with commit 4\n" +
				"  records lost their values in a, b\n"},
		{"rollback 7 --check", map[string][]string{"GET " + d + "/commits/7/rollback": {
			`200 {"is_blocked":false,"detail":"It can be rolled back.","blocking_commits":[]}`}},
			`GET ` + d + `/commits/7/rollback?policy=stack&project_id=1`, "It can be rolled back.\n"},
		{"compare 1.0.0", map[string][]string{"GET " + d + "/compare": {
			`200 {"entries_added":1,"entries_modified":2,"total_entries_v1":3,"total_entries_v2":4,
				"categories_added":["x","y"],"metadata_changes":{"b":"added","a":"removed"},"columns":{"pay":2}}`}},
			`GET ` + d + `/compare?from=1.0.0&project_id=1&to=head&to_dataset=`,
			"FROM 1.0.0            TO head\nentries added         1\nentries removed       0\nentries modified      2\n" +
				"total entries         3 -> 4\nquality score change  not known\ncategories added      x, y\n" +
				"categories removed    \nmetadata a            removed\nmetadata b            added\n" +
				"modified in pay       2\n"},
		{"tag", map[string][]string{"GET " + d + "/tags": {
			`200 {"tags":[{"name":"reviewed","commit_id":3,"updated_at":"then","user":"eva","description":"all"}]}`}},
			`GET ` + d + `/tags?project_id=1`,
			"TAG       COMMIT  WHEN  USER  DESCRIPTION\nreviewed  3       then  eva   all\n"},
		{"tag a/b", map[string][]string{"POST " + d + "/tags": {`201 {"name":"a/b","commit_id":3}`}},
			`POST ` + d + `/tags?project_id=1 {"name":"a/b","ref":"head"}`, "tag a/b: commit 3\n"},
		{"tag a/b --move --ref 4 --description x", map[string][]string{"PATCH " + d + "/tags/a%2Fb": {
			`200 {"name":"a/b","commit_id":4}`}},
			`PATCH ` + d + `/tags/a%2Fb?project_id=1 {"description":"x","ref":"4"}`, "tag a/b: commit 4\n"},
		{"tag a/b --remove", map[string][]string{"DELETE " + d + "/tags/a%2Fb": {"204 "}},
			`DELETE ` + d + `/tags/a%2Fb?project_id=1`, "tag a/b is removed\n"},
		{"digest --ref 1.0.0", map[string][]string{"GET " + d + "/digest": {`200 {"digest":"v1:0a","commit":3}`}},
			`GET ` + d + `/digest?project_id=1&ref=1.0.0`, "v1:0a  employees@1.0.0\n"},
		{"compact", map[string][]string{"POST " + d + "/upkeep": {
			`200 {"files_opened":3,"done":{"files_made":2,"files_read":40,"rows":41,"bytes":2048}}`}},
			`POST ` + d + `/upkeep?project_id=1 {}`, "2 files of 40 (41 records, 2.0 kB); reading opens 3 files\n"},
		{"compact", map[string][]string{"POST " + d + "/upkeep": {
			`200 {"files_opened":3,"done":{"files_made":0,"key_filters":1}}`}},
			`POST ` + d + `/upkeep?project_id=1 {}`, "nothing to compact; key filters made: 1; reading opens 3 files\n"},
		{"compact --plan", map[string][]string{"GET " + d + "/upkeep": {`200 {"files_opened":3}`}},
			`GET ` + d + `/upkeep?project_id=1`, "next: nothing to compact; reading opens 3 files\n"},
		{"savepoint --list", map[string][]string{"GET " + d + "/savepoints": {
			`200 {"savepoints":[{"version":"master__000001","commit_id":3,"user":"eva","created_at":"then"}]}`}},
			`GET ` + d + `/savepoints?project_id=1`, "master__000001"},
		{"savepoint --description before", map[string][]string{"POST " + d + "/savepoints": {
			`201 {"version":"master__000002","commit_id":5}`}},
			`POST ` + d + `/savepoints?project_id=1 {"description":"before"}`, "savepoint master__000002: commit 5\n"},
		{"history 4", map[string][]string{"GET " + d + "/history": {`200 {"history":[
			{"commit":{"id":2,"mode":"upsert","user":"eva"},"change":"modified","before":{"a":1,"b":"x"},
				"after":{"a":2},"columns":["a","b"]},
			{"commit":{"id":1,"mode":"append","user":"eva"},"change":"added","after":{"b":"x","a":1}}]}`}},
			`GET ` + d + `/history?key=4&limit=20&project_id=1&ref=head`,
			"COMMIT  MODE    CHANGE    VALUES                     WHEN  USER  MESSAGE\n" +
				"2       upsert  modified  a: 1 -> 2, b: \"x\" -> null        eva   \n" +
				"1       append  added     a: 1, b: \"x\"                     eva   \n"},
		{"actions --since-forking --format json", map[string][]string{"GET " + d + "/actions/since_forking": {
			`200 {"actions":[]}`}}, `GET ` + d + `/actions/since_forking?project_id=1`, "[]\n"},
		{"actions --key Dataset.append --limit 1", map[string][]string{"GET " + d + "/actions": {
			`200 {"actions":[{"commit_id":3,"key":"Variable.create","records_added":1,
				"params":{"definition":{"name":"pay"}},"message":"m"}]}`}},
			`GET ` + d + `/actions?key=Dataset.append&limit=1&project_id=1&sort=-datetime&user=`, "Variable.create pay"},
		{"log --limit 3", map[string][]string{"GET " + d + "/commits": {`200 {"commits":[
			{"id":3,"mode":"rollback","parent_commit_id":2,"records_total":1,"created_at":"now","user":"eva"},
			{"id":2,"mode":"append","rollback_commit_id":3,"records_added":5,"records_total":6,"created_at":"then"}]}`}},
			`GET ` + d + `/commits?limit=3&project_id=1`,
			"COMMIT  MODE                  CHANGES   RECORDS  WHEN  USER  MESSAGE\n" +
				"3       rollback of 2         +0 -0 ~0  1        now   eva   \n" +
				"2       append (undone by 3)  +5 -0 ~0  6        then        \n"},
		{"log --digests", map[string][]string{"GET " + d + "/commits": {`200 {"commits":[
			{"id":2,"mode":"append","created_at":"now"},{"id":1,"mode":"append","created_at":"then","digest":"v1:7"}]}`}},
			`GET ` + d + `/commits?limit=20&project_id=1`,
			"COMMIT  MODE    CHANGES   RECORDS  WHEN  USER  MESSAGE  DIGEST\n" +
				"2       append  +0 -0 ~0  0        now                  \n" +
				"1       append  +0 -0 ~0  0        then                 v1:7\n"},
	} {
		s, out, failed, code := rowback(t, c.line+" --dataset employees", c.answers)
		if code != 0 || len(s.asked) != 1 || s.asked[0] != c.asked {
			t.Errorf("%s: %d, %s asked %q; want %q", c.line, code, failed, s.asked, c.asked)
		}
		if !strings.Contains(out, c.printed) {
			t.Errorf("%s prints\n%s\nwant\n%s", c.line, out, c.printed)
		}
	}
}

func TestACommandThatIsRefusedSaysWhyAndFails(t *testing.T) {
	for _, c := range []struct {
		line, answer, says string
		code               int
	}{
		{"tag x", `409 {"code":"tag_exists","detail":"There is a tag 'x' already."}`, "There is a tag 'x' already.", 5},
		{"tag x", `404 {"detail":"No such dataset."}`, "No such dataset.", 4},
		{"tag x", `422 {"detail":"No such field."}`, "No such field.", 6},
		{"tag x", `403 {"detail":"You may not."}`, "You may not.", 3},
		{"tag x", `502 <html>`, "the server answered 502 Bad Gateway", 7},
		{"tag x", `500 {}`, "the server answered 500 Internal Server Error", 8},
		{"tag x", `401 {"detail":"Send the header."}`,
			"authentication required: log in with rowback login, or give a token with --api-key", 3},
		{"tag x --api-key old", `401 {"detail":"Send the header."}`, "the token is not valid, or not any more. " +
			"Log in again with rowback login, or give another with --api-key", 3},
	} {
		_, out, failed, code := rowback(t, c.line+" --dataset employees",
			map[string][]string{"POST " + d + "/tags": {c.answer}})
		if code != c.code || out != "" || failed != "rowback: "+c.says+"\n" {
			t.Errorf("%s: %d, %q, %q", c.line, code, out, failed)
		}
	}
	_, out, failed, code := rowback(t, "audit acknowledge known", map[string][]string{
		"GET /api/v1/audit/check": {`200 {"problems":[],"problems_sha256":""}`},
	})
	if code == 0 || out != "" || !strings.Contains(failed, "nothing to acknowledge") {
		t.Errorf("a sound log is acknowledged: %d, %q, %q", code, out, failed)
	}
	_, out, failed, code = rowback(t, "rollback 7 --check --dataset employees", map[string][]string{
		"GET " + d + "/commits/7/rollback": {`200 {"is_blocked":true,"detail":"Blocked by 1.","blocking_commits":[
			{"id":8,"mode":"upsert","overlapping_records":2}]}`},
	})
	if code != 1 || failed != "rowback: commit 7 is blocked\n" ||
		out != "Blocked by 1.\n  commit 8: upsert +0 -0 ~0, 0 records; records in common: 2\n" {
		t.Errorf("%d, %q, %q", code, out, failed)
	}
}

func TestACommandLineThatMakesNoSenseAsksNothing(t *testing.T) {
	for line, says := range map[string]string{
		"log -d":                          `--dataset needs a value (see rowback log --help)`,
		"tga":                             `unexpected argument tga, did you mean "tag"? (see rowback --help)`,
		"tag":                             "missing flags: --dataset=NAME",
		"tag --dataset x --remove":        "which tag? Name it",
		"rollback seven --dataset x":      "<commit> must be a number, not seven",
		"rollback 7 --policy all":         "must be one of \"stack\",\"records\"",
		"export --dataset x --format xls": "--format must be one of",
		"export --dataset x --format csv --parquet-version 2":  "--parquet-version is for Parquet, and the output is csv",
		"actions --dataset x --user eva --since-forking":       "can't be combined",
		"actions --dataset x --upstream-delta --since-forking": "can't be used together",
		"merge --dataset x":  "missing flags: --from",
		"import --dataset x": "<files> ... is missing",
		"frobnicate":         "unknown command frobnicate. Run rowback help for a list of commands",
		"--server h:1 log":   "--server goes behind the command, as in: rowback dataset list --server VALUE",
		"dataset show":       "<dataset> is missing (see rowback dataset show --help)",
		"dataset-version increment-version --dataset-name x --nonsense": "unknown flag --nonsense",
	} {
		var out, failed bytes.Buffer
		if code := run(strings.Fields(line), console{out: &out, err: &failed}); code != exitUsage || !strings.Contains(failed.String(), says) {
			t.Errorf("%q: %d, %s", line, code, failed.String())
		}
	}
}
