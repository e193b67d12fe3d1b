package snapshot

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/schema"
)

// A file is measured in SQL or, where it is small, in Arrow: bounds, sums, counts of categories and displaced rows are the
// same. Only categories of types whose text differs are left to SQL.
func TestFilesAreMeasuredAlike(t *testing.T) {
	engine, err := duck.Open(duck.Limits{Threads: 1, Memory: 1e9, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	conn, err := engine.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
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

func alike(t *testing.T, conn *duck.Conn, typ, key, value, category string) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "rows.parquet")
	copyRows := fmt.Sprintf(`COPY (SELECT (%s)::%s AS id, (%s)::DOUBLE AS quality_score, %s AS category,
		1 AS _commit, k %% 2 + 7 AS _file, k AS _pos FROM range(9) t(k)) TO %s (FORMAT parquet)`, key, typ, value, category, duck.Text(path))
	if _, err := conn.Exec(ctx, copyRows); err != nil {
		t.Fatal(err)
	}
	columns := []schema.Column{{ID: 1, Name: "id"}, {ID: 2, Name: "quality_score"}, {ID: 3, Name: "category"}}
	s := &State{Schema: schema.Schema{Key: []int{1}, Columns: columns}}
	for i := range s.Schema.Columns {
		name := ""
		if err := conn.Row(ctx, fmt.Sprintf("SELECT typeof(%s) FROM %s LIMIT 1", s.Schema.Columns[i].Name, duck.Text(path)), &name); err != nil {
			t.Fatal(err)
		}
		found, err := schema.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		s.Schema.Columns[i].Type = found
	}
	bySQL, byArrow := catalog.File{Kind: schema.Rollback}, catalog.File{Kind: schema.Rollback}
	if err := s.Measure(ctx, conn, &bySQL, path); err != nil {
		t.Fatal(err)
	}
	batch, err := conn.Batch(ctx, "SELECT * FROM "+duck.Text(path))
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	s.MeasureBatch(&byArrow, batch)
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
