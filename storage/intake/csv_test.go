package intake

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/schema"
)

// table returns all records of an upload as text, one line each, or the error as the client sees it.
func table(t *testing.T, conn *duck.Conn, r Records) (string, error) {
	t.Helper()
	want, list := Want{}, "_n"
	for i := range r.Columns() {
		want.Columns = append(want.Columns, i)
		list += fmt.Sprintf(" || '|' || coalesce('[' || CAST(o%d AS VARCHAR) || ']', 'NULL')", i)
	}
	sql, release, err := r.Relation(t.Context(), conn, want)
	if err != nil {
		return "", r.Explain(err)
	}
	defer release()
	var lines []string
	err = conn.Rows(t.Context(), "SELECT "+list+" FROM ("+sql+") ORDER BY _n", func(scan duck.Scan) error {
		var line string
		err := scan(&line)
		lines = append(lines, line)
		return err
	})
	return strings.Join(lines, "\n"), r.Explain(err)
}

// A small CSV that is read here has the records that DuckDB reads in it.
func TestPlainCSVIsReadAlike(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	conn := ducktest.Conn(t)
	fields := []string{
		"", "", "1", "-0.5", "a", " a ", "ü🦆", "NULL", "null", "nan", "it's", "#", "\\", "\\N",
		"true", "a'b", "0x1F",
	}
	plain := 0
	for range 60 {
		comma := []string{",", ";", "\t", "|"}[random.IntN(4)]
		columns := 1 + random.IntN(4)
		header := make([]string, columns)
		for i := range header {
			header[i] = fmt.Sprint("c ", i)
		}
		lines := []string{strings.Join(header, comma)}
		for range 1 + random.IntN(6) {
			record := make([]string, columns)
			for i := range record {
				record[i] = fields[random.IntN(len(fields))]
			}
			lines = append(lines, strings.Join(record, comma))
		}
		body := strings.Join(lines, []string{"\n", "\r\n"}[random.IntN(2)])
		if random.IntN(2) == 0 {
			body += "\n"
		}
		u := upload(t, CSV, body)
		here, err := openPlain(u)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if here == nil {
			continue
		}
		plain++
		there, err := openCSV(t.Context(), conn, u)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		got, err := table(t, conn, here)
		want, err2 := table(t, conn, there)
		if err != nil || err2 != nil || got != want {
			t.Errorf("%q:\n%s (%v)\nby DuckDB\n%s (%v)", body, got, err, want, err2)
		}
	}
	if plain < 20 {
		t.Errorf("only %d were read here", plain)
	}
}

// Text that is converted here has the value that DuckDB's cast gives it.
func TestPlainValuesAreThoseOfACast(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	conn := ducktest.Conn(t)
	digits := func(n int) string {
		out := make([]byte, n)
		for i := range out {
			out[i] = byte('0' + random.IntN(10))
		}
		return string(out)
	}
	converted := 0
	for range 400 {
		text := []string{"", "-", "+"}[random.IntN(3)] + digits(random.IntN(20))
		if random.IntN(2) == 0 {
			text += "." + digits(random.IntN(17))
		}
		if random.IntN(10) == 0 {
			text = []string{"true", "false", "TRUE", "1e3", "inf", " 1", "1_000", "t"}[random.IntN(8)]
		}
		if random.IntN(2) == 0 {
			text = someMoment(random)
		}
		for _, typ := range []string{schema.Bigint, schema.Double, schema.Boolean, schema.Date, schema.Timestamp,
			schema.TimestampTZ} {
			a := plainValues([]string{text}, typ)
			if a == nil || text == "" {
				continue
			}
			converted++
			var same bool
			got := a.ValueStr(0)
			query := fmt.Sprintf("SELECT CAST(%s AS %s) = CAST(%s AS %s)", duck.Text(text), typ, duck.Text(got), typ)
			if err := conn.Row(t.Context(), query, &same); err != nil || !same {
				t.Errorf("%q as %s is %s here, and not for DuckDB (%v)", text, typ, got, err)
			}
		}
	}
	if converted < 50 {
		t.Errorf("only %d texts were converted", converted)
	}
}

// someMoment is a date or a moment, in some form.
func someMoment(random *rand.Rand) string {
	some := func(list ...string) string { return list[random.IntN(len(list))] }
	if random.IntN(2) == 0 {
		at := time.UnixMicro(random.Int64N(5e17) - 25e16).UTC()
		return at.Format(some("2006-01-02", "2006-01-02 15:04:05", "2006-01-02T15:04:05.999999", "2006-01-02T15:04:05Z",
			"2006-01-02T15:04:05.999999+01:30"))
	}
	text := fmt.Sprintf("%04d-%02d-%02d", random.IntN(10_000), random.IntN(14), random.IntN(33))
	text += some("T", " ", "t", "  ") + fmt.Sprintf("%02d:%02d:%02d", random.IntN(26), random.IntN(62), random.IntN(62))
	text += some("", "", ".5", ".000001", ".1234567", ",5", ".")
	return text + some("", "", "Z", "z", "+00:00", "-08:30", "+14:59", "+15:00", "+0100", "+01", " UTC", "+1:00")
}

// A column of a plain CSV that took its stored type is read as that type, the others as text, nulls in both.
func TestImposedColumnsOfAPlainCSV(t *testing.T) {
	r, err := openPlain(upload(t, CSV, "n,x,b,t\n1,0.5,true,1\n,,,\n-2,3,false,x\n"))
	if err != nil {
		t.Fatal(err)
	}
	for i, typ := range []string{schema.Bigint, schema.Double, schema.Boolean, schema.Bigint} {
		r.Impose(i, schema.Of(typ))
	}
	var types []string
	for _, c := range r.Columns() {
		types = append(types, fmt.Sprint(c.Type, " ", c.Text))
	}
	if got := strings.Join(types, ", "); got != "BIGINT 0, DOUBLE 0, BOOLEAN 0, VARCHAR 2" {
		t.Error(got)
	}
	batch, err := r.Batch()
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	for i, want := range []arrow.Type{arrow.INT64, arrow.FLOAT64, arrow.BOOL, arrow.STRING} {
		column := batch.Column(i)
		if column.DataType().ID() != want || !column.IsNull(1) || column.NullN() != 1 {
			t.Errorf("column %d: %v", i, column)
		}
	}
	if got, err := table(t, ducktest.Conn(t), r); err != nil || got != "0|[1]|[0.5]|[true]|[1]\n1|NULL|NULL|NULL|NULL\n"+
		"2|[-2]|[3.0]|[false]|[x]" {
		t.Errorf("%s, %v", got, err)
	}
}

// An empty field is null, a quoted empty one is an empty text; all else is the text that was written.
func TestFieldsOfCSV(t *testing.T) {
	conn := ducktest.Conn(t)
	for body, want := range map[string]string{
		"a,b\n1,\n":                          "0|[1]|NULL",
		"a,b\n\"\",\"1\"\n":                  "0|[]|[1]",
		"a\n\"x\ny\"\n":                      "0|[x\ny]",
		"a\n\"say \"\"hi\"\"\"\n":            "0|[say \"hi\"]",
		"a;b\n1,5;2\n":                       "0|[1,5]|[2]",
		"a\tb\n1\t 2 \n":                     "0|[1]|[ 2 ]",
		"a|b\nx|y\n":                         "0|[x]|[y]",
		"\xef\xbb\xbfa,b\n1,2\n":             "0|[1]|[2]",
		"a,b\r\n1,2\r\n3,4\r\n":              "0|[1]|[2]\n1|[3]|[4]",
		"\"a,\nb\",c\n1,2":                   "0|[1]|[2]",
		"a,b\n":                              "",
		"a,b\nNULL,null\n":                   "0|[NULL]|[null]",
		"a,b\n#x,\"#y\"\n":                   "0|[#x]|[#y]",
		"a\n" + strings.Repeat("é", 300_000): "0|[" + strings.Repeat("é", 300_000) + "]",
	} {
		r, err := openCSV(t.Context(), conn, upload(t, CSV, body))
		if err != nil {
			t.Errorf("%.60q: %v", body, err)
			continue
		}
		if got, err := table(t, conn, r); err != nil || got != want {
			t.Errorf("%.60q: %.200q, not %.200q (%v)", body, got, want, err)
		}
	}
}

// Errors in a CSV name the row, of which the header is the first.
func TestErrorsOfCSV(t *testing.T) {
	conn := ducktest.Conn(t)
	for body, says := range map[string]string{
		"a,b\n1,2\n1\n":          "row 3 of the CSV has 1 fields; the header, which is row 1, has 2. Put fields",
		"a,b\n1,2,3\n":           "delimiter that the file has; if the header has no name for the row names",
		"\"a\" \"b\"\n1 2\n":     "If something else than \",\" separates the names, send the delimiter",
		"a,b\n\"x\ny\",2\n1\n":   "row 3 of the CSV has 1 fields",
		"a,b\n1,\"open\n":        "row 2 of the CSV, of which the header is row 1, can't be read",
		"a,b\n1,\"x\"y\n":        "row 2 of the CSV, of which the header is row 1, can't be read",
		"a,b\n1,2\n\xff\xfe,4\n": "byte 9, in line 3, is 0xff. Send the encoding",
	} {
		r, err := openCSV(t.Context(), conn, upload(t, CSV, body))
		if err == nil {
			_, err = table(t, conn, r)
		}
		forClient(t, err)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "/tmp") {
			t.Errorf("%q: %v, not %s", body, err, says)
		}
	}
}

var commas = dialect{comma: ',', quote: '"'}

// The fields of a record are found as a reader of CSV finds them, or not at all.
func TestFieldsAreFoundAsInCSV(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	parts := []string{`"`, `""`, ",", "a", " ", "é", `"a"`, "1"}
	split := 0
	for range 3000 {
		record := ""
		for range 1 + random.IntN(7) {
			record += parts[random.IntN(len(parts))]
		}
		var got []string
		rest, ok := []byte(record), true
		for ok {
			end := commas.fieldEnd(rest)
			if ok = end >= 0; !ok {
				break
			}
			got = append(got, string(rest[:end]))
			if end == len(rest) {
				break
			}
			rest = rest[end+1:]
		}
		want, err := csv.NewReader(strings.NewReader(record)).Read()
		if !ok {
			continue // DuckDB reads it whole
		}
		split++
		if err != nil || len(want) != len(got) {
			t.Fatalf("%q: %q here, %q for a reader of CSV (%v)", record, got, want, err)
		}
		for i, field := range got {
			if inside, quoted := strings.CutPrefix(field, `"`); quoted {
				field = strings.ReplaceAll(strings.TrimSuffix(inside, `"`), `""`, `"`)
			}
			if field != want[i] {
				t.Fatalf("%q: %q here, %q for a reader of CSV", record, got, want)
			}
		}
	}
	if split < 500 {
		t.Errorf("only %d records were split", split)
	}
}

// A CSV is not split if there is nowhere to put its parts, or if it is odd.
func TestCSVsThatAreNotSplit(t *testing.T) {
	u := upload(t, CSV, "a,b\n1,2\n")
	if _, _, err := splitCSV(u, commas, 2); err != errOdd {
		t.Errorf("without a place for parts: %v", err)
	}
	u.Parts = u.Path + ".parts"
	for _, body := range []string{
		"a,b\n1\n", "a,b\r\n1,2\n", "a,b\n1,\"x\"y\n", "a,b\n1,2\r", "a,b\n1,\x00\n", "a,b\n\n1,2\n",
	} {
		odd := upload(t, CSV, body)
		odd.Parts = odd.Path + ".parts"
		if _, _, err := splitCSV(odd, commas, 2); err != errOdd {
			t.Errorf("%q: %v", body, err)
		}
	}
	paths, longest, err := splitCSV(u, commas, 2)
	if err != nil || len(paths) != 1 || longest != 3 {
		t.Errorf("%v, %d, %v", paths, longest, err)
	}
}
