package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAMergeShowsWhatItPlayedAndWhatIsInItsWay(t *testing.T) {
	played := `{"commit_id":5,"key":"Dataset.append","user":"eva","records_added":1}`
	conflicts := `[{"action":{"commit_id":6,"key":"Dataset.upsert","user":"ben","message":"m"},"detail":"Both changed 4.",
		"count":1,"records":[{"key":{"id":4},"cells":[{"column":"pay","base":1,"ours":2,"theirs":3}],
			"before":{},"after":{},"now":{}}]}]`
	job := func(result string) map[string][]string {
		return map[string][]string{
			"POST " + d + "/merges":  {`202 {"id":"j","progress":0}`},
			"GET /api/v1/progress/j": {`200 {"id":"j","progress":100,"result":` + result + `}`},
			"GET " + d:               {`200 {"key":["id"]}`},
		}
	}
	line := `merge --dataset employees --from f --filter-key k --resolve {"key":{"id":4},"take":"ours"}`
	s, out, _, code := rowback(t, line,
		job(`{"status":201,"body":{"commit":{"id":7,"mode":"merge"},"played":[`+played+`],"skipped":[`+played+
			`],"conflicts_decided":2}}`))
	action := "commit 5: Dataset.append +1 -0 ~0, by eva\n"
	if want := "played " + action + "skipped " + action + "conflicts of records decided as asked: 2\n" +
		"commit 7: merge +0 -0 ~0, 0 records\n"; code != 0 || out != want {
		t.Errorf("%d, %s\nwant\n%s", code, out, want)
	}
	if want := `{"autorollback":true,"dry_run":false,"filter":{"hash":null,"key":["k"]},"message":"","remember":false,` +
		`"resolve":[{"key":{"id":4},"take":"ours"}],"source":"f"}`; !strings.HasSuffix(s.asked[0], " "+want) {
		t.Errorf("%s\nwant %s", s.asked[0], want)
	}
	_, out, failed, code := rowback(t, "merge --dataset employees --from f",
		job(`{"status":409,"body":{"detail":"It has conflicts.","played":[],"conflicts":`+conflicts+`}}`))
	want := "conflict with commit 6: Dataset.upsert +0 -0 ~0, by ben: m\n  Both changed 4.\n" +
		"  KEY  COLUMN  BASE  OURS  THEIRS\n  4    pay     1     2     3\n"
	if code != 1 || out != want || failed != "rowback: It has conflicts.\n" {
		t.Errorf("%d, %s\nwant\n%s\n%s", code, out, want, failed)
	}
	_, out, _, code = rowback(t, "merge --dataset employees --from f", job(`{"status":200,"body":{"played":[]}}`))
	if code != 0 || out != "Nothing to merge from f.\n" {
		t.Errorf("%d, %s", code, out)
	}
	s, _, failed, code = rowback(t, "merge --dataset employees --from f --resolve {", nil)
	if code != exitUsage || len(s.asked) > 0 || failed != "rowback: --resolve { is not JSON\n" {
		t.Errorf("%d, %s, asked %q", code, failed, s.asked)
	}
}

func TestConflictsShowTheValuesOfEachSide(t *testing.T) {
	var out strings.Builder
	side := &struct{}{}
	k := conflictAnswer{Count: 3, Records: []recordConflict{{
		Key: map[string]json.RawMessage{"id": json.RawMessage("4"), "of": json.RawMessage(`"x"`)},
		Cells: []cellConflict{{
			Column: "pay", Base: json.RawMessage("1"), Ours: json.RawMessage("2"), Theirs: json.RawMessage("3"),
		}},
		Now: side, Before: side,
	}}}
	if err := k.showRecords(console{out: &out}, []string{"of", "id"}); err != nil {
		t.Fatal(err)
	}
	want := "  KEY     COLUMN  BASE  OURS  THEIRS\n  \"x\", 4  pay     1     2     -\n  and 2 more records\n"
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
}
