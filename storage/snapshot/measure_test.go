package snapshot

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/schema"
)

// A file is measured in SQL or, if it is small, in Arrow, with the same bounds, sums, counts of categories and
// displaced rows. Only categories of types whose text differs are left to SQL.
func TestFilesAreMeasuredAlike(t *testing.T) {
	conn := ducktest.Conn(t)
	for _, of := range []struct{ typ, key, value, category string }{
		{"BIGINT", "k", "k * 3", "'c' || k % 3"},
		{"INTEGER", "-k", "CASE WHEN k % 2 = 0 THEN k END", "k % 4"},
		{"VARCHAR", "'ü' || k", "CASE k WHEN 1 THEN 'nan' WHEN 2 THEN '-inf' ELSE k / 7 END", "k > 3"},
		{"VARCHAR", "repeat('x', 300 + k)", "1e300", "NULL"},
		{"DATE", "DATE '1969-12-30' + k::INT", "0.1", "chr(65 + k::INT)"},
		{"TIMESTAMP", "TIMESTAMP '1960-01-01 00:00:00.000001' + INTERVAL (k) DAY", "k::FLOAT / 3", "k::TINYINT"},
		{"TIMESTAMP_NS", "make_timestamp_ns(-1500 * k)", "-k", "k / 2"},
		{"TIMESTAMP WITH TIME ZONE", "make_timestamptz(1700000000000000 + k)", "0", "k::DECIMAL(4,1)"},
		{"DECIMAL(30,4)", "(k * 12345678901234567.0001)::DECIMAL(30,4)", "k", "''"},
		{"UUID", "gen_random_uuid()", "k", "'é'"},
	} {
		t.Run(of.typ, func(t *testing.T) { alike(t, conn, of.typ, of.key, of.value, of.category) })
	}
}

// measured are values of keys of each type, as SQL, with the ends of the type and what orders of text or of numbers
// disagree about.
var measured = map[string][]string{
	"SMALLINT":      {"-32768", "32767", "9", "10", "0"},
	"BIGINT":        {"-9223372036854775808", "9223372036854775807", "-9", "-10", "9", "10"},
	"UBIGINT":       {"18446744073709551615", "9223372036854775808", "0", "9", "10"},
	"DECIMAL(38,4)": {"'-9999999999999999999999999999999999.9999'", "0.0001", "-0.5", "9", "10", "1e20"},
	"DOUBLE":        {"'nan'", "'-inf'", "0.5", "1e300"},
	"VARCHAR":       {"''", "'a'", "'Z'", "'ü'", "'10'", "'9'", "'𝄞'", "'\uffff'", "repeat('x', 257)"},
	"DATE":          {"'0044-03-15 (BC)'", "'1969-12-31'", "'1970-01-01'", "'9999-12-31'"},
	"TIMESTAMP": {
		"'0044-03-15 (BC) 12:00:00'", "'1969-12-31 23:59:59.999999'", "'1970-01-01'", "'9999-12-31'",
	},
	"TIMESTAMP_NS":             {"'1969-12-31 23:59:59.999999999'", "'1970-01-01 00:00:00.000000001'", "'2200-01-01'"},
	"TIMESTAMP WITH TIME ZONE": {"'1969-12-31 23:59:59.999999+00'", "'2024-01-01 00:00:00+05:30'", "'1066-10-14'"},
}

// So are files of random rows.
func TestRandomFilesAreMeasuredAlike(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	some := func(typ string, pool ...string) string { // nine of them: those of the rows k
		list := make([]string, 9)
		for i := range list {
			list[i] = "CAST(" + pool[random.IntN(len(pool))] + " AS " + typ + ")"
		}
		return "[" + strings.Join(list, ", ") + "][k + 1]"
	}
	categories := []struct {
		typ    string
		values []string
	}{
		{"VARCHAR", []string{"'a'", "'A'", "''", "NULL"}}, {"TINYINT", []string{"1", "-1", "NULL"}},
		{"BOOLEAN", []string{"true", "false"}}, {"DECIMAL(4,1)", []string{"0.5", "NULL"}},
	}
	conn := ducktest.Conn(t)
	for _, typ := range slices.Sorted(maps.Keys(measured)) {
		for range 5 {
			key := some(typ, measured[typ]...)
			quality := some("DOUBLE", "0.25", "-1024.5", "3", "'nan'", "'inf'", "NULL")
			c := categories[random.IntN(len(categories))]
			category := some(c.typ, c.values...)
			t.Run(typ, func(t *testing.T) { alike(t, conn, typ, key, quality, category) })
		}
	}
}

// A column that is both quality and category has the same sum in SQL and in Arrow. If its categories can't be counted
// in Arrow, they are marked as too many, so that they are read.
func TestQualityIsMeasuredAlikeInTheCategoryColumn(t *testing.T) {
	conn := ducktest.Conn(t)
	for value, counted := range map[string]bool{"k::DOUBLE / 4": false, "(k / 3)::DECIMAL(9, 2)": false, "k": true} {
		path := filepath.Join(t.TempDir(), "rows.parquet")
		s := written(t, conn, path, fmt.Sprintf("SELECT k AS id, %s AS v, 1 AS _commit FROM range(9) t(k)", value), "id", "v")
		s.Properties = catalog.Properties{QualityColumn: "v", CategoryColumn: "v"}
		var bySQL, byArrow catalog.File
		measure(t, conn, s, path, &bySQL, &byArrow)
		a, b := bySQL.Stats[2], byArrow.Stats[2]
		if a.Count != 9 || a.Count != b.Count || a.Sum != b.Sum || b.TooMany == counted ||
			counted && !reflect.DeepEqual(a.Categories, b.Categories) {
			t.Errorf("%s: by SQL %+v, by Arrow %+v", value, a, b)
		}
	}
}

// written writes the rows of a query to a file, and returns a state with the named ones of its columns. The first is
// the key.
func written(t *testing.T, conn *duck.Conn, path, query string, names ...string) *State {
	t.Helper()
	if _, err := conn.Exec(context.Background(), "COPY ("+query+") TO "+duck.Text(path)+" (FORMAT parquet)"); err != nil {
		t.Fatal(err)
	}
	s := &State{Schema: schema.Schema{Key: []int{1}}}
	for i, name := range names {
		found := ""
		ask := fmt.Sprintf("SELECT typeof(%s) FROM %s LIMIT 1", name, duck.Text(path))
		if err := conn.Row(context.Background(), ask, &found); err != nil {
			t.Fatal(err)
		}
		typ, err := schema.Parse(found)
		if err != nil {
			t.Fatal(err)
		}
		s.Schema.Columns = append(s.Schema.Columns, schema.Column{ID: i + 1, Name: name, Type: typ})
	}
	return s
}

// measure measures the file at path in SQL and in Arrow.
func measure(t *testing.T, conn *duck.Conn, s *State, path string, bySQL, byArrow *catalog.File) {
	t.Helper()
	if err := s.Measure(context.Background(), conn, bySQL, path); err != nil {
		t.Fatal(err)
	}
	batch, err := conn.Batch(context.Background(), "SELECT * FROM "+duck.Text(path))
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	s.MeasureBatch(byArrow, batch)
}

func alike(t *testing.T, conn *duck.Conn, typ, key, value, category string) {
	path := filepath.Join(t.TempDir(), "rows.parquet")
	s := written(t, conn, path, fmt.Sprintf(`SELECT (%s)::%s AS id, (%s)::DOUBLE AS quality_score, %s AS category,
		1 AS _commit, k %% 2 + 7 AS _file, k AS _pos FROM range(9) t(k)`, key, typ, value, category),
		"id", "quality_score", "category")
	bySQL, byArrow := catalog.File{Kind: schema.Rollback}, catalog.File{Kind: schema.Rollback}
	measure(t, conn, s, path, &bySQL, &byArrow)
	if _, counted := byArrow.Stats[3]; !counted {
		delete(bySQL.Stats, 3)
	}
	if !sameBounds(OrderOf(s.Schema.Columns[0].Type), bySQL.Bounds, byArrow.Bounds) ||
		!reflect.DeepEqual(bySQL.Stats, byArrow.Stats) || !reflect.DeepEqual(bySQL.Targets, byArrow.Targets) {
		t.Errorf("by SQL\n%+v\n%+v\nby Arrow\n%+v\n%+v", bySQL, bySQL.Bounds, byArrow, byArrow.Bounds)
	}
}

// sameBounds compares values: a decimal 0 may be written as 0.00.
func sameBounds(o KeyOrder, a, b *catalog.Bounds) bool {
	if a == nil || b == nil {
		return a == b
	}
	return o.Compare(a.Least, b.Least) == 0 && o.Compare(a.Greatest, b.Greatest) == 0
}
