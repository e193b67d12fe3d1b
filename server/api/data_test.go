package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

func TestTheFormatIsTheFirstThatAcceptNames(t *testing.T) {
	for _, c := range []struct {
		format, accept string
		want           intake.Format
	}{
		{"", "", intake.JSON},
		{"", "*/*", intake.JSON},
		{"", "application/*", intake.JSON},
		{"", "text/csv", intake.CSV},
		{"", "TEXT/CSV; charset=utf-8", intake.CSV},
		{"", "text/html, application/x-ndjson, */*", intake.NDJSON},
		{"", "text/csv;q=0, application/vnd.apache.parquet", intake.Parquet},
		{"", "text/csv;q=0.0, */*;q=0.1", intake.JSON},
		{"", ";;;, application/vnd.apache.arrow.stream", intake.Arrow},
		{"csv", "application/vnd.apache.parquet", intake.CSV},
	} {
		if got, err := (formatIn{Format: c.format, Accept: c.accept}).format(); got != c.want || err != nil {
			t.Errorf("format %q, Accept %q: %s, %v", c.format, c.accept, got, err)
		}
	}
}

func TestAFormatThatIsNotOfferedIsRefused(t *testing.T) {
	if _, err := (formatIn{Format: "xlsx"}).format(); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
	for _, accept := range []string{"text/html", "image/*", "text/csv;q=0", "application/json;q=0, application/xml",
		"text/csv;q=nan", "text/csv;q=x"} {
		_, err := (formatIn{Accept: accept}).format()
		var e *fiber.Error
		if !errors.As(err, &e) || e.Code != http.StatusNotAcceptable {
			t.Errorf("%s: %v", accept, err)
		}
	}
}

// Every format can be sent and asked for, under the same name.
func TestTheTwoTablesOfFormatsAgree(t *testing.T) {
	for media, format := range formats {
		if written, _, _ := strings.Cut(mediaTypes[format], ";"); written != media {
			t.Errorf("%s is read as %s and written as %s", format, media, written)
		}
		if !slices.Contains(recordMedia, media) {
			t.Errorf("the document has no %s", media)
		}
	}
	if len(formats) != len(mediaTypes) || len(formats) != len(recordMedia) {
		t.Errorf("%d are read, %d written, %d documented", len(formats), len(mediaTypes), len(recordMedia))
	}
}

var columns = []schema.Column{
	{ID: 1, Name: "id"}, {ID: 2, Name: "Name"}, {ID: 3, Name: `a "b" desc`}, {ID: 4, Name: "-x"},
}

func TestAnOrderNamesColumnsAndDirections(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		" , ":                     "",
		"id":                      ` ORDER BY "id" ASC`,
		"-id":                     ` ORDER BY "id" DESC`,
		"id desc, name":           ` ORDER BY "id" DESC, "Name" ASC`,
		"id  DESC , NAME Asc":     ` ORDER BY "id" DESC, "Name" ASC`,
		`"name" desc`:             ` ORDER BY "Name" DESC`,
		`--x`:                     ` ORDER BY "-x" DESC`,
		`"-x"`:                    ` ORDER BY "-x" ASC`,
		`"a "b" desc"`:            ` ORDER BY "a ""b"" desc" ASC`,
		`-"id" asc`:               ` ORDER BY "id" ASC`,
		"id,-id":                  ` ORDER BY "id" ASC, "id" DESC`,
		"id desc,name asc,,  -id": ` ORDER BY "id" DESC, "Name" ASC, "id" DESC`,
	} {
		if got, _, err := orderBy(columns, text); got != want || err != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// What clients send is never a part of the SQL: only names of columns are, in quotation marks.
func TestAnOrderTakesNothingButColumns(t *testing.T) {
	for _, text := range []string{
		"pay", "id; DROP TABLE x", "1", "id desc desc desc)", `id" DESC --`, "desc", "(SELECT 1)",
	} {
		sql, _, err := orderBy(columns, text)
		var e *fault.Error
		if !errors.As(err, &e) || e.Fields["field"] != "order_by" || sql != "" {
			t.Errorf("%q: %q, %v", text, sql, err)
		}
	}
}

func TestColumnsAreChosenByNameInTheOrderAskedFor(t *testing.T) {
	if all, err := choose(columns, nil); err != nil || len(all) != len(columns) {
		t.Errorf("%v, %v", all, err)
	}
	got, err := choose(columns, []string{"NAME", "id"})
	if err != nil || len(got) != 2 || got[0].ID != 2 || got[1].ID != 1 {
		t.Errorf("%v, %v", got, err)
	}
	for _, names := range [][]string{{"pay"}, {"id", "ID"}} {
		_, err := choose(columns, names)
		var e *fault.Error
		if !errors.As(err, &e) || e.Fields["field"] != "columns" {
			t.Errorf("%v: %v", names, err)
		}
	}
}

func TestRecordsAreReadAtARefAsAsked(t *testing.T) {
	for query, want := range map[string]string{
		"&order_by=id":                           "id,name,pay,_commit\n2,Ben,21.0,2\n3,Chitra,,1\n4,Dario,40.0,2\n",
		"&ref=1.0.0&columns=name&order_by=-name": "name\nChitra\nBen\nAda\n",
		"&ref=1&limit=1&offset=1":                "id,name,pay,_commit\n2,Ben,20.25,1\n",
		"&limit=2&columns=id":                    "id\n2\n3\n", // in key order, not in that of the files
		"&ref=1&limit=0&columns=id":              "id\n",
		"&where=pay+%3E+30&columns=id":           "id\n4\n",
		"&where=id+%3E+2&order_by=pay&limit=1":   "id,name,pay,_commit\n4,Dario,40.0,2\n",
		"&ref=0&columns=id":                      "id\n",
		"&where=id%3D2+--+a+comment&columns=id":  "id\n2\n",
	} {
		got := must(t, 200, "GET", employees+"/data?format=csv"+query, "")
		if got.text != want || got.header.Get("X-Rowback-Truncated") != "no" {
			t.Errorf("%s: %q, truncated %s", query, got.text, got.header.Get("X-Rowback-Truncated"))
		}
	}
}

func TestRecordsCarryTheirCommitAndAFileName(t *testing.T) {
	got := must(t, 200, "GET", employees+"/data?ref=1.0.1&format=csv", "")
	if got.header.Get("X-Rowback-Commit") != "2" || got.header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Error(got.header)
	}
	if got.header.Get("Content-Disposition") != "attachment; filename=employees-2.csv" {
		t.Error(got.header.Get("Content-Disposition"))
	}
	shown := must(t, 200, "GET", employees+"/data?ref=1.0.1", "").header.Get("Content-Disposition")
	if shown != "inline; filename=employees-2.json" {
		t.Errorf("JSON is shown by a browser, not saved: %q", shown)
	}
}

func TestWhatRecordsCanNotBeReadByIsRefused(t *testing.T) {
	for query, code := range map[string]string{
		"columns=nothing":        "invalid_field",
		"order_by=nothing":       "invalid_field",
		"limit=-1":               "invalid_field",
		"offset=-1":              "invalid_field",
		"limit=x":                "invalid_field",
		"format=xlsx":            "invalid_field",
		"ref=9.9.9":              "version_not_found",
		"where=nothing+%3D+1":    "invalid_sql",
		"where=1)+UNION+(SELECT": "invalid_sql",
	} {
		got := ask(t, "GET", employees+"/data?"+query, "")
		if got.status < 400 || got.status >= 500 || got.code() != code {
			t.Errorf("%s: %d %s", query, got.status, got.text)
		}
	}
}

func TestAComparisonCountsWhatChanged(t *testing.T) {
	got := must(t, 200, "GET", employees+"/compare?from=1.0.0&to=1.0.1", "")
	comparison, _ := got.body["comparison"].(map[string]any)
	if comparison == nil {
		comparison = got.body
	}
	if comparison["entries_added"] != 1.0 || comparison["entries_modified"] != 1.0 ||
		comparison["entries_removed"] != 0.0 {
		t.Error(got.text)
	}
	diff := must(t, 200, "GET", employees+"/diff?from=1.0.0&change=removed&format=ndjson", "")
	if strings.Count(diff.text, "\n") != 1 || !strings.Contains(diff.text, `"Ada"`) {
		t.Error(diff.text)
	}
}

func TestADifferenceIsReadInPagesAndByColumn(t *testing.T) {
	diff := employees + "/diff?format=ndjson&from=0&to=1.0.0"
	all := must(t, 200, "GET", diff, "").text
	lines := strings.SplitAfter(all, "\n")
	if got := must(t, 200, "GET", diff+"&limit=1&offset=1", "").text; got != lines[1] {
		t.Errorf("%s, not the second of %s", got, all)
	}
	if got := must(t, 200, "GET", diff+"&change=modified&column=name", "").text; got != "" {
		t.Error(got)
	}
	for query, field := range map[string]string{
		"&limit=-1": "limit", "&offset=-1": "offset", "&column=nothing": "column",
	} {
		if got := ask(t, "GET", diff+query, ""); got.status != 422 || got.field() != field {
			t.Errorf("%s: %d %s", query, got.status, got.text)
		}
	}
}

// Records of more columns than one statement reads are selected, sorted and paged as others are, and so are their
// differences.
func TestWideRecordsAreReadAsAsked(t *testing.T) {
	must(t, 201, "POST", datasets, `{"name":"wide","key":["id"]}`)
	record := func(id, shift int) string {
		out := fmt.Sprintf(`{"id":%d,"tie":%d`, id, id%2)
		for i := range 1000 {
			out += fmt.Sprintf(`,"c%d":%d`, i, i+id+shift)
		}
		return out + "}"
	}
	first := must(t, 201, "POST", datasets+"/wide/commits?mode=append",
		"["+record(1, 0)+","+record(2, 0)+","+record(3, 0)+","+record(4, 0)+"]")
	must(t, 201, "POST", datasets+"/wide/commits?mode=upsert", "["+record(2, 5)+","+record(5, 0)+"]")
	ids := func(text string) (ids []string) {
		for line := range strings.Lines(text) {
			if !strings.HasSuffix(line, "\n") || strings.Count(line, ":") < 1000 {
				t.Errorf("not a whole record: %.100s", line)
			}
			id, _, _ := strings.Cut(line[strings.Index(line, `"id":`)+len(`"id":`):], ",")
			ids = append(ids, id)
		}
		return ids
	}
	for query, want := range map[string]string{
		"order_by=-tie&limit=3":                     "[1 3 5]",
		"order_by=-tie&limit=3&offset=2":            "[5 2 4]",
		"where=c999+%3E+1001+--+large":              "[2 3 4 5]",
		"where=c3%3D10&order_by=-c7":                "[2]",
		"where=COLUMNS(*)+IS+NOT+NULL&order_by=-id": "[5 4 3 2 1]",
		"where=false":                               "[]",
		"key=3":                                     "[3]",
		"limit=2&offset=4":                          "[5]",
	} {
		got := must(t, 200, "GET", datasets+"/wide/data?format=ndjson&"+query, "").text
		if fmt.Sprint(ids(got)) != want {
			t.Errorf("%s: %v, not %s", query, ids(got), want)
		}
	}
	for query, code := range map[string]string{"where=nothing+%3D+1": "invalid_sql", "where=_pos%3D1": "invalid_sql",
		"order_by=nothing": "invalid_field", "limit=-1": "invalid_field"} {
		if got := ask(t, "GET", datasets+"/wide/data?"+query, ""); got.status != 422 || got.code() != code {
			t.Errorf("%s: %d %s", query, got.status, got.text)
		}
	}
	diff := fmt.Sprintf("%s/wide/diff?format=ndjson&from=%v", datasets, first.body["id"])
	all := strings.SplitAfter(must(t, 200, "GET", diff, "").text, "\n")
	for query, want := range map[string]string{"": all[0], "&change=added": all[1], "&offset=1": all[1],
		"&column=c1": all[0]} {
		if got := must(t, 200, "GET", diff+"&limit=1"+query, "").text; got != want {
			t.Errorf("%s: %.100s, not %.100s", query, got, want)
		}
	}
}

func TestDatasetsWithoutACommonHistoryAreNotCompared(t *testing.T) {
	dataset(t, "strangers")
	got := ask(t, "GET", employees+"/compare?from=1&to_dataset=strangers", "")
	if got.status != 422 || got.code() != "not_family" || got.field() != "to_dataset" {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got := ask(t, "GET", employees+"/compare?to=1", ""); got.status != 422 || got.field() != "from" {
		t.Errorf("%d %s", got.status, got.text)
	}
}

func TestInsightsOfAForkAreSinceTheVersionBeforeIt(t *testing.T) {
	path := dataset(t, "insight")
	must(t, 200, "POST", versions+"/increment", `{"project_id":1,"dataset_name":"insight"}`)
	must(t, 201, "POST", path+"/forks", `{"name":"insight-fork"}`)
	k := must(t, 201, "POST", datasets+"/insight-fork/commits?mode=append", `[{"id":20}]`)
	query := fmt.Sprintf("?to_dataset=insight-fork&to=%v", k.body["id"])
	got := must(t, 200, "GET", path+"/insights"+query, "")
	if want := must(t, 200, "GET", path+"/insights"+query+"&from=1.0.0", ""); got.text != want.text {
		t.Errorf("%s, want %s", got.text, want.text)
	}
	if !strings.Contains(got.text, "Name the new state with a minor increment") {
		t.Error(got.text)
	}
	named := must(t, 200, "GET", path+"/insights?from=0&to=1.0.0", "").text
	if !strings.Contains(named, "already has a version: 1.0.0") || strings.Contains(named, "Name the new state") {
		t.Error(named)
	}
}

func TestNamesInDoubleQuotes(t *testing.T) {
	for part, name := range map[string]string{
		`a`: `a`, `"a,b"`: `a,b`, `"a""b"`: `a"b`, `"a`: `"a`, `a"`: `a"`, `"`: `"`, `""`: ``,
	} {
		if got := unquoted(part); got != name {
			t.Errorf("%s is %q, want %q", part, got, name)
		}
	}
}
