package datafile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/schema"
)

// randomType returns a type that a column can have, nested up to depth times.
func randomType(random *rand.Rand, depth int) schema.Type {
	scalars := slices.Sorted(maps.Keys(values))
	for depth == 0 || random.IntN(3) == 0 {
		typ, err := schema.Parse(scalars[random.IntN(len(scalars))])
		if err == nil && !typ.Nested() {
			return typ
		}
	}
	switch random.IntN(3) {
	case 0:
		return schema.ListOf(randomType(random, depth-1))
	case 1:
		key, value := schema.Of(schema.Varchar), randomType(random, depth-1)
		return schema.Type{Name: schema.Map, Key: &key, Elem: &value}
	}
	t := schema.Type{Name: schema.Struct}
	for _, name := range []string{"z", "a b", "ü"}[:1+random.IntN(3)] { // not in the order of the alphabet
		t.Fields = append(t.Fields, schema.Field{Name: name, Type: randomType(random, depth-1)})
	}
	return t
}

// randomValue returns the SQL of a value of a type, with nulls and empty lists at every level.
func randomValue(random *rand.Rand, t schema.Type) string {
	if random.IntN(4) == 0 {
		return "CAST(NULL AS " + t.SQL() + ")"
	}
	var parts []string
	switch t.Name {
	case schema.List:
		for range random.IntN(4) {
			parts = append(parts, randomValue(random, *t.Elem))
		}
		return "CAST([" + strings.Join(parts, ", ") + "] AS " + t.SQL() + ")"
	case schema.Map:
		for i := range random.IntN(3) {
			parts = append(parts, fmt.Sprintf("'k%d': %s", i, randomValue(random, *t.Elem)))
		}
		return "CAST(MAP {" + strings.Join(parts, ", ") + "} AS " + t.SQL() + ")"
	case schema.Struct:
		for _, f := range t.Fields {
			parts = append(parts, duck.Ident(f.Name)+" := "+randomValue(random, f.Type))
		}
		return "struct_pack(" + strings.Join(parts, ", ") + ")"
	}
	return "CAST(" + values[t.String()] + " AS " + t.SQL() + ")"
}

// Values of any nested type are the same in a file by either writer: those that the query gave.
func TestBothWritersWriteRandomValues(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	conn, dir := ducktest.Conn(t), t.TempDir()
	for i := range 40 {
		typ := randomType(random, 3)
		spec := datafile.Spec{Kind: schema.Data, Dataset: "d", Commit: 1, File: 2, Columns: []schema.Column{
			{ID: 4, Name: "n", Type: schema.Of(schema.Bigint)}, {ID: 5, Name: "v", Type: typ},
		}, Pages: datafile.Pages(random.IntN(3))}
		var rows []string
		for n := range 1 + random.IntN(9) {
			rows = append(rows, fmt.Sprintf("(%d::BIGINT, %s, 1::BIGINT)", n, randomValue(random, typ)))
		}
		query := "SELECT * FROM (VALUES " + strings.Join(rows, ", ") + ") t(n, v, c) ORDER BY n"
		large, small := filepath.Join(dir, fmt.Sprint("l", i)), filepath.Join(dir, fmt.Sprint("s", i))
		if _, err := datafile.Copy(t.Context(), conn, query, large, spec); err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		if err := encodeTo(t.Context(), conn, query, small, spec); err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		for _, path := range []string{large, small} {
			var differ int64
			ask := fmt.Sprintf(`SELECT count(*) FROM (%s) q FULL JOIN (SELECT n, v FROM read_parquet(%s)) f USING (n)
				WHERE q.v IS DISTINCT FROM f.v OR typeof(q.v) <> typeof(f.v)`, query, duck.Text(path))
			if err := conn.Row(t.Context(), ask, &differ); err != nil || differ > 0 {
				t.Errorf("%s: %d of %s differ in %s (%v)", typ, differ, rows, filepath.Base(path), err)
			}
		}
	}
}

// A rollback file has the place of each row, under the ids that Iceberg reserves for it.
func TestRollbackFiles(t *testing.T) {
	conn := ducktest.Conn(t)
	spec := datafile.Spec{
		Kind: schema.Rollback, Dataset: "ünï", Commit: 1 << 40, File: 1<<63 - 1,
		Columns: []schema.Column{{ID: schema.RowID, Name: "_id", Type: schema.Of(schema.Bigint)}},
	}
	const query = "SELECT 1::BIGINT, 2::BIGINT, 3::BIGINT, 4::BIGINT"
	for writer, write := range map[string]func(path string) error{
		"DuckDB":     func(path string) error { _, err := datafile.Copy(t.Context(), conn, query, path, spec); return err },
		"parquet-go": func(path string) error { return encodeTo(t.Context(), conn, query, path, spec) },
	} {
		path := filepath.Join(t.TempDir(), "f.parquet")
		if err := write(path); err != nil {
			t.Fatal(writer, err)
		}
		var columns, row string
		ask := `SELECT string_agg(name || ' ' || field_id, ', ') FROM parquet_schema(` + duck.Text(path) + `)
			WHERE field_id > 0`
		if err := conn.Row(t.Context(), ask, &columns); err != nil ||
			columns != "_id 2147483540, _commit 2147483539, _file 2147483646, _pos 2147483645" {
			t.Errorf("%s: %s, %v", writer, columns, err)
		}
		ask = "SELECT CAST(f AS VARCHAR) FROM read_parquet(" + duck.Text(path) + ") f"
		if err := conn.Row(t.Context(), ask, &row); err != nil || row != "{'_id': 1, '_commit': 2, '_file': 3, '_pos': 4}" {
			t.Errorf("%s: %s, %v", writer, row, err)
		}
		footer, err := readFooter(path)
		want := datafile.Footer{Kind: schema.Rollback, Dataset: "ünï", Commit: 1 << 40, File: 1<<63 - 1, Rows: 1}
		if err != nil || footer != want {
			t.Errorf("%s: %+v, %v", writer, footer, err)
		}
	}
}

// A file without rows is a file, and has its columns.
func TestFilesWithoutRows(t *testing.T) {
	conn := ducktest.Conn(t)
	spec := datafile.Spec{Kind: schema.Data, Dataset: "d", Commit: 1, File: 2, Columns: []schema.Column{
		{ID: 1, Name: "v", Type: schema.ListOf(schema.Of(schema.Date))},
	}}
	const query = "SELECT CAST(NULL AS DATE[]), 1::BIGINT WHERE false"
	path := filepath.Join(t.TempDir(), "f.parquet")
	if n, err := datafile.Copy(t.Context(), conn, query, path, spec); n != 0 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
	if err := encodeTo(t.Context(), conn, query, path+"2", spec); err != nil {
		t.Error(err)
	}
	for _, p := range []string{path, path + "2"} {
		var columns string
		ask := "SELECT string_agg(column_name || ' ' || column_type, ', ') FROM (DESCRIBE FROM read_parquet(" +
			duck.Text(p) + "))"
		if err := conn.Row(t.Context(), ask, &columns); err != nil || columns != "v DATE[], _commit BIGINT" {
			t.Errorf("%s: %s, %v", p, columns, err)
		}
		if footer, err := readFooter(p); err != nil || footer.Rows != 0 || footer.File != 2 {
			t.Errorf("%s: %+v, %v", p, footer, err)
		}
	}
}

// A COPY that fails, at its start or late, leaves no file.
func TestAFailedCopyLeavesNothing(t *testing.T) {
	conn := ducktest.Conn(t)
	for _, query := range []string{
		"SELECT nothing", "SELECT CASE WHEN i = 299_999 THEN error('late') ELSE i END FROM range(300_000) t(i)",
	} {
		dir := t.TempDir()
		if _, err := datafile.CopyQuery(t.Context(), conn, query, filepath.Join(dir, "f"), datafile.PagesV2, ""); err == nil {
			t.Errorf("%s was copied", query)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s leaves %v, %v", query, left, err)
		}
	}
	if _, err := datafile.CopyQuery(t.Context(), conn, "SELECT 1", "/no/such/directory/f", datafile.PagesV2, ""); err == nil {
		t.Error("a file was written into a directory that does not exist")
	}
}

// Integers that are too far apart for other readers of DuckDB's delta encoding are not encoded so; the others are, and
// the rows are the same.
func TestIntegersThatAreFarApart(t *testing.T) {
	conn := ducktest.Conn(t)
	const rows = 50_000
	for value, delta := range map[string]bool{
		"i::INTEGER": true, "(CASE i % 2 WHEN 0 THEN -2147483648 ELSE 2147483647 END + i % 7 * (1 - i % 2))::INTEGER": false,
		"(4294967295 - i)::UINTEGER": false, "i::UINTEGER": true, "DATE '2024-01-01' + i::INTEGER % 900": true,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "f.parquet")
		query := fmt.Sprintf("SELECT %s AS v, i AS n FROM range(%d) t(i)", value, rows)
		if n, err := datafile.CopyQuery(t.Context(), conn, query, path, datafile.PagesV2, "DICTIONARY_SIZE_LIMIT 1"); n != rows || err != nil {
			t.Fatalf("%s: %d, %v", value, n, err)
		}
		var encodings string
		ask := "SELECT string_agg(DISTINCT encodings) FROM parquet_metadata(" + duck.Text(path) +
			") WHERE path_in_schema = 'v'"
		if err := conn.Row(t.Context(), ask, &encodings); err != nil || strings.Contains(encodings, "DELTA") != delta {
			t.Errorf("%s: encoded as %s, %v", value, encodings, err)
		}
		var differ int64
		ask = fmt.Sprintf("SELECT count(*) FROM (%s) q FULL JOIN read_parquet(%s) f USING (n) WHERE q.v IS DISTINCT FROM f.v",
			query, duck.Text(path))
		if err := conn.Row(t.Context(), ask, &differ); err != nil || differ > 0 {
			t.Errorf("%s: %d rows differ, %v", value, differ, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("%s leaves %v, %v", value, left, err)
		}
	}
}

// What is not a file of ours is said to be none, by what it lacks.
func TestFootersOfOtherFiles(t *testing.T) {
	conn := ducktest.Conn(t)
	copied := func(options string) []byte {
		path := filepath.Join(t.TempDir(), "f")
		if _, err := datafile.CopyQuery(t.Context(), conn, "SELECT 1 AS a", path, datafile.PagesV2, options); err != nil {
			t.Fatal(err)
		}
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	own := copied(`KV_METADATA {"rowback.dataset": 'd', "rowback.commit": '7', "rowback.kind": 'data'}`)
	worded := copied(`KV_METADATA {"rowback.commit": '7', "rowback.file": 'x'}`)
	long := slices.Clone(own)
	binary.LittleEndian.PutUint32(long[len(long)-8:], uint32(len(long)-7))
	for name, c := range map[string]struct {
		body []byte
		says string
	}{
		"an older file of ours":         {own, ""},
		"another's":                     {copied(""), "it does not name its commit"},
		"a commit in words":             {copied(`KV_METADATA {"rowback.commit": 'seven'}`), "it does not name its commit"},
		"an id in words":                {worded, `it names "x" as its id`},
		"empty":                         {nil, "it is too short for a Parquet file"},
		"seven bytes":                   {own[:7], "it is too short for a Parquet file"},
		"cut":                           {own[:len(own)-1], "it does not end as a Parquet file"},
		"a footer longer than the file": {long, "it does not end as a Parquet file"},
		"text":                          {[]byte("not a file\x01\x00\x00\x00PAR1"), "its footer can't be read"},
	} {
		footer, err := datafile.ReadFooter(bytes.NewReader(c.body), int64(len(c.body)))
		if fmt.Sprint(err) != c.says && !(err == nil && c.says == "") {
			t.Errorf("%s: %v, not %s", name, err, c.says)
		}
		if c.says == "" && footer != (datafile.Footer{Kind: schema.Data, Dataset: "d", Commit: 7, Rows: 1}) {
			t.Errorf("%s: %+v", name, footer)
		}
	}
}

func TestChecksums(t *testing.T) {
	for text, want := range map[string]string{
		"":    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	} {
		sum, size, err := datafile.Checksum(strings.NewReader(text))
		if err != nil || sum != want || size != int64(len(text)) {
			t.Errorf("%q: %s, %d, %v", text, sum, size, err)
		}
	}
}

// Files are joined into a new one only, and one that was not finished is removed.
func TestJoiningLeavesNothingUnfinished(t *testing.T) {
	conn, dir := ducktest.Conn(t), t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	for path, query := range map[string]string{one: "SELECT 1 AS a", two: "SELECT 1 AS b FROM range(2)"} {
		if _, err := datafile.CopyQuery(t.Context(), conn, query, path, datafile.PagesV2, ""); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "out")
	for _, parts := range [][]string{{one, two}, {one, filepath.Join(dir, "none")}, {filepath.Join(dir, "none")}} {
		if err := datafile.Join(out, parts); err == nil {
			t.Errorf("%v were joined", parts)
		}
		if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v leave a file: %v", parts, err)
		}
	}
	if err := datafile.Join(out, []string{one}); err != nil {
		t.Error(err)
	}
	if err := datafile.Join(out, []string{one}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file was replaced: %v", err)
	}
}

// foreign writes a file with one column of a type, as another program might.
func foreign(t *testing.T, node parquet.Node, rows ...parquet.Row) string {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewWriter(&out, parquet.NewSchema("x", parquet.Group{"v": node}))
	if _, err := w.WriteRows(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "f.parquet")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Columns whose values DuckDB would change are found in the file; those that it keeps are not refused.
func TestColumnsOfOtherFiles(t *testing.T) {
	of := func(values ...parquet.Value) (rows []parquet.Row) {
		for _, v := range values {
			rows = append(rows, parquet.Row{v})
		}
		return rows
	}
	long := parquet.Value(parquet.FixedLenByteArrayValue(make([]byte, 17)))
	for _, c := range []struct {
		name        string
		node        parquet.Node
		rows        []parquet.Row
		plain, says string
	}{
		{"int64", parquet.Leaf(parquet.Int64Type), of(parquet.Int64Value(1)), "BIGINT", ""},
		{"int 64", parquet.Int(64), of(parquet.Int64Value(1)), "BIGINT", ""},
		{"uint 64", parquet.Uint(64), of(parquet.Int64Value(1)), "", ""},
		{"double", parquet.Leaf(parquet.DoubleType), of(parquet.DoubleValue(1)), "DOUBLE", ""},
		{"float", parquet.Leaf(parquet.FloatType), of(parquet.FloatValue(1)), "", ""},
		{"text", parquet.String(), of(parquet.ByteArrayValue([]byte("a"))), "VARCHAR", ""},
		{"bytes", parquet.Leaf(parquet.ByteArrayType), of(parquet.ByteArrayValue([]byte("a"))), "", ""},
		{"boolean", parquet.Leaf(parquet.BooleanType), of(parquet.BooleanValue(true)), "BOOLEAN", ""},
		{"a list", parquet.Repeated(parquet.Leaf(parquet.Int64Type)), of(parquet.Int64Value(1)), "", ""},
		{"whole microseconds", parquet.Timestamp(parquet.Nanosecond), of(parquet.Int64Value(-1000)), "", ""},
		{"nanoseconds", parquet.Timestamp(parquet.Nanosecond), of(parquet.Int64Value(1000), parquet.Int64Value(1001)), "",
			"parts of microseconds"},
		{"nanoseconds without a zone", parquet.TimestampAdjusted(parquet.Nanosecond, false), of(parquet.Int64Value(1)),
			"", ""},
		{"a time in nanoseconds", parquet.Time(parquet.Nanosecond), of(parquet.Int64Value(1)), "", "parts of microseconds"},
		{"a time in microseconds", parquet.Time(parquet.Microsecond), of(parquet.Int64Value(1)), "", ""},
		{"38 digits", parquet.Decimal(2, 38, parquet.FixedLenByteArrayType(17)), of(long), "", ""},
		{"39 digits", parquet.Decimal(2, 39, parquet.FixedLenByteArrayType(17)), of(long), "", "has decimals of 39 digits"},
		{"a field without a name", parquet.Group{"": parquet.Leaf(parquet.Int64Type)}, of(parquet.Int64Value(1)), "",
			"a field that has no name"},
		{"fields that differ in case",
			parquet.Group{"A": parquet.Leaf(parquet.Int64Type), "a": parquet.Leaf(parquet.Int64Type)},
			of(parquet.Int64Value(1)), "", `"A" and "a"`},
	} {
		file, err := datafile.Inspect(foreign(t, c.node, c.rows...))
		columns := file.Columns
		if err != nil || len(columns) != 1 || columns[0].Name != "v" {
			t.Errorf("%s: %+v, %v", c.name, columns, err)
			continue
		}
		if got := columns[0]; got.Plain != c.plain || (got.Trouble == "") != (c.says == "") ||
			!strings.Contains(got.Trouble, c.says) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// A file that is damaged anywhere is inspected without a crash: it has columns, or is not whole, or not understood.
func TestInspectingDamagedFiles(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	path := foreign(t, parquet.Timestamp(parquet.Nanosecond), parquet.Row{parquet.Int64Value(1000)})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		bad := bytes.Clone(whole)
		for range 1 + random.IntN(3) {
			bad[random.IntN(len(bad))] = byte(random.Uint32())
		}
		bad = bad[:len(bad)-random.IntN(2)*random.IntN(len(bad))]
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := datafile.Inspect(path)
		if err != nil && err.Error() != "it is not a complete Parquet file" &&
			!strings.HasPrefix(err.Error(), "it is damaged, or written in a way") &&
			err.Error() != "it is encrypted. Decrypt it first" {
			t.Fatalf("% x: %v", bad, err)
		}
	}
}
