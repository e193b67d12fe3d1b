package published

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/twmb/avro/ocf"

	"github.com/rowback/rowback/storage/schema"
)

func parsed(t *testing.T, text string) schema.Type {
	t.Helper()
	out, err := schema.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Every type that can be stored has one in Iceberg, or is said to have none.
func TestTypes(t *testing.T) {
	for text, want := range map[string]string{
		"BOOLEAN": `"boolean"`, "TINYINT": `"int"`, "SMALLINT": `"int"`, "INTEGER": `"int"`, "BIGINT": `"long"`,
		"UTINYINT": `"int"`, "USMALLINT": `"int"`, "UINTEGER": `"long"`, "UBIGINT": `"decimal(20, 0)"`, "FLOAT": `"float"`,
		"DOUBLE": `"double"`, "DECIMAL(38,9)": `"decimal(38, 9)"`, "VARCHAR": `"string"`, "JSON": `"string"`,
		"BLOB": `"binary"`, "UUID": `"uuid"`, "DATE": `"date"`, "TIME": `"time"`, "TIMESTAMP": `"timestamp"`,
		"TIMESTAMP_NS": `"string"`, "TIMESTAMP WITH TIME ZONE": `"timestamptz"`,
		`"NULL"`: "", `"NULL"[]`: "", "HUGEINT": "", "INTERVAL": "",
	} {
		as, ok := Stored(parsed(t, text))
		got := ""
		if ok {
			out, err := json.Marshal(typeOf(as, 1, ""))
			if err != nil {
				t.Fatal(err)
			}
			got = string(out)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// Parts of columns have ids that no column has, the same in every schema, and each its own.
func TestPartsHaveIDs(t *testing.T) {
	of := func(id int, text string) Column {
		as, _ := Stored(parsed(t, text))
		return Column{schema.Column{ID: id, Name: "c", Type: as}, as}
	}
	ids := map[int]bool{}
	for _, c := range []Column{
		of(1, `STRUCT(a INTEGER, b STRUCT(a INTEGER, "element" INTEGER[])[])`), of(2, `STRUCT(a INTEGER)`),
		of(3, `MAP(VARCHAR, MAP(VARCHAR, INTEGER[][]))`),
	} {
		eachNested(c.As, "", func(path string) {
			id := nestedID(c.ID, path)
			if ids[id] || id < 1<<30 || id >= 2147483446 {
				t.Errorf("%d%s has the id %d", c.ID, path, id)
			}
			ids[id] = true
		})
	}
	wider := SchemaOf([]Column{of(1, `STRUCT(a INTEGER, b INTEGER, c INTEGER)`)})
	narrow := SchemaOf([]Column{of(1, `STRUCT(b INTEGER)`)})
	if a, b := wider.Fields[0].Type.(structure).Fields[1], narrow.Fields[0].Type.(structure).Fields[0]; a.ID != b.ID {
		t.Errorf("%+v and %+v are one field", a, b)
	}
	if got := FieldIDs([]Column{of(2, "INTEGER[]")}); !strings.HasPrefix(got, `{"c": {__duckdb_field_id: 2, "element": 1`) {
		t.Error(got)
	}
}

// A file is read as it is only where every reader sees the column's values in it.
func TestWhichFilesAreReadAsTheyAre(t *testing.T) {
	for _, c := range []struct {
		own, now string
		earlier  []string
		inPlace  bool
	}{
		{"INTEGER", "INTEGER", nil, true},
		{"TINYINT", "BIGINT", nil, true},
		{"INTEGER", "BIGINT", nil, true},
		{"FLOAT", "DOUBLE", nil, true},
		{"DECIMAL(9,2)", "DECIMAL(38,2)", nil, true},
		{"JSON", "JSON", nil, true},
		{"DECIMAL(9,2)", "DECIMAL(38,3)", nil, false},
		{"INTEGER", "DOUBLE", nil, false},
		{"BIGINT", "VARCHAR", nil, false},
		{"DATE", "TIMESTAMP", nil, false},
		{"UINTEGER", "UINTEGER", nil, false},
		{"UBIGINT", "UBIGINT", nil, false},
		{"TIMESTAMP_NS", "TIMESTAMP_NS", nil, false},
		{"INTEGER[]", "INTEGER[]", nil, false},
		{"INTEGER", "BIGINT", []string{"INTEGER", "VARCHAR"}, false}, // what did not fit the text in between is null
		{"UTINYINT", "TINYINT", nil, false},
	} {
		own := schema.Column{ID: 1, Name: "c", Type: parsed(t, c.own)}
		now := schema.Column{ID: 1, Name: "renamed", Type: parsed(t, c.now)}
		for _, e := range c.earlier {
			now.Earlier = append(now.Earlier, parsed(t, e))
		}
		columns, _ := Columns(schema.Schema{Columns: []schema.Column{now}, Key: []int{1}})
		if got := InPlace(schema.Schema{Columns: []schema.Column{own}, Key: []int{1}}, columns); got != c.inPlace {
			t.Errorf("%s as %s: %v", c.own, c.now, got)
		}
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		typ, text, want string
	}{
		{"INTEGER", "-2", "\xfe\xff\xff\xff"},
		{"BIGINT", "258", "\x02\x01\x00\x00\x00\x00\x00\x00"},
		{"VARCHAR", "é", "é"},
		{"DATE", "-1", "\xff\xff\xff\xff"}, // a microsecond before 1970
		{"DATE", "86400000000", "\x01\x00\x00\x00"},
		{"DECIMAL(9,2)", "1.28", "\x00\x80"},
		{"DECIMAL(9,2)", "-1.28", "\x80"},
		{"DECIMAL(9,2)", "-1.29", "\xff\x7f"},
		{"DECIMAL(9,2)", "0", "\x00"},
	} {
		r, ok := RangeOf(parsed(t, c.typ), c.text, c.text)
		if !ok || string(r.Least) != c.want {
			t.Errorf("%s %s: %q, %v", c.typ, c.text, r.Least, ok)
		}
	}
	for _, c := range [][2]string{{"DOUBLE", "1"}, {"BIGINT", "inf"}, {"DATE", "9223372036854775807"}} {
		if r, ok := RangeOf(parsed(t, c[0]), c[1], c[1]); ok {
			t.Errorf("%v: %q", c, r.Least)
		}
	}
}

// read decodes an Avro file by its own schema.
func read(t *testing.T, text []byte) (records []map[string]any, metadata map[string][]byte) {
	t.Helper()
	r, err := ocf.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for {
		var one map[string]any
		err := r.Decode(&one)
		if errors.Is(err, io.EOF) {
			return records, r.Metadata()
		}
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, one)
	}
}

// Manifests and lists say what they were made of, and the same values make the same bytes.
func TestManifests(t *testing.T) {
	columns, _ := Columns(schema.Schema{Columns: []schema.Column{{ID: 1, Name: "id", Type: schema.Of(schema.Bigint)}}})
	s := SchemaOf(columns)
	bounds, _ := RangeOf(schema.Of(schema.Bigint), "1", "2")
	files := []File{
		{Path: "file:///a", Rows: 2, Bytes: 100, Commit: 7, Nulls: map[int]int64{1: 0, 2: 1}, Bounds: map[int]Range{1: bounds}},
		{Path: "file:///b", Rows: 3, Bytes: 200, Commit: 5},
	}
	text, err := EncodeManifest(s, Data, files)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if again, err := EncodeManifest(s, Data, files); err != nil || !bytes.Equal(again, text) {
			t.Fatal("the same manifest has other bytes", err)
		}
	}
	entries, metadata := read(t, text)
	if len(entries) != 2 || string(metadata["content"]) != "data" || string(metadata["format-version"]) != "2" ||
		!strings.Contains(string(metadata["schema"]), `"name":"id"`) {
		t.Errorf("%v %s", entries, metadata)
	}
	file := entries[0]["data_file"].(map[string]any)
	if file["file_path"] != "file:///a" || file["record_count"] != int64(2) || entries[0]["sequence_number"] != int64(7) ||
		len(file["lower_bounds"].([]any)) != 1 || len(file["null_value_counts"].([]any)) != 2 {
		t.Errorf("%v", entries[0])
	}
	m := ManifestOf("file:///m", int64(len(text)), Data, files)
	list, err := EncodeList(9, 8, []Manifest{m})
	if err != nil {
		t.Fatal(err)
	}
	lines, metadata := read(t, list)
	if len(lines) != 1 || lines[0]["existing_rows_count"] != int64(5) || lines[0]["min_sequence_number"] != int64(5) ||
		lines[0]["sequence_number"] != int64(7) || string(metadata["parent-snapshot-id"]) != "8" {
		t.Errorf("%v %s", lines, metadata)
	}
}
