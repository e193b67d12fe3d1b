package storage_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

// arrowOf is a stream with the columns id, 1, and v, whose only value is a JSON text that arrow-go reads as type t.
func arrowOf(t *testing.T, v arrow.Field, value string) string {
	t.Helper()
	s := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, v}, nil)
	batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, s,
		strings.NewReader(fmt.Sprintf(`[{"id": 1, "v": %s}]`, value)))
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(s))
	if err := w.Write(batch); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// What could not be read once it was stored is refused in every mode, as few records and as many, and says why.
func TestWhatCouldNotBeReadIsRefused(t *testing.T) {
	asJSON := arrow.NewMetadata([]string{"ARROW:extension:name", "ARROW:extension:metadata"}, []string{"arrow.json", ""})
	pair := func(a, b string) arrow.DataType {
		return arrow.StructOf(arrow.Field{Name: a, Type: arrow.PrimitiveTypes.Int64},
			arrow.Field{Name: b, Type: arrow.PrimitiveTypes.Int64})
	}
	b := open(t)
	for _, c := range []struct {
		name, value, code, says string
		field                   arrow.Field
	}{
		{"fields that differ in case", `{"a": 1, "A": 2}`, "unsupported_type", `"a" and "A"`,
			arrow.Field{Type: pair("a", "A")}},
		{"fields that differ in case, in a list", `[{"a": 1, "A": 2}]`, "unsupported_type", `"a" and "A"`,
			arrow.Field{Type: arrow.ListOf(pair("a", "A"))}},
		{"a field without a name", `{"": 1, "b": 2}`, "invalid_records", "no name", arrow.Field{Type: pair("", "b")}},
		{"a NUL in a name", `{"a\u0000b": 1, "c": 2}`, "invalid_records", "NUL", arrow.Field{Type: pair("a\x00b", "c")}},
		{"text that is not JSON", `"nope"`, "unstorable_value", "not JSON",
			arrow.Field{Type: arrow.BinaryTypes.String, Metadata: asJSON}},
		{"JSON with NaN", `"[NaN]"`, "unstorable_value", "not JSON",
			arrow.Field{Type: arrow.BinaryTypes.String, Metadata: asJSON}},
		{"infinity as nanoseconds", `9223372036854775807`, "unstorable_value", "in record 1",
			arrow.Field{Type: &arrow.TimestampType{Unit: arrow.Nanosecond}}},
		{"a time of day of 25 hours", `90000000000`, "unstorable_value", "a day has",
			arrow.Field{Type: arrow.FixedWidthTypes.Time64us}},
		{"the same in a list", `[0, 90000000000]`, "unstorable_value", "a day has",
			arrow.Field{Type: arrow.ListOf(arrow.FixedWidthTypes.Time64us)}},
	} {
		c.field.Name, c.field.Nullable = "v", true
		for _, mode := range []catalog.Mode{catalog.Append, catalog.Upsert, catalog.Overwrite} {
			t.Run(c.name+" "+string(mode), func(t *testing.T) {
				d := b.Create(c.name+" "+string(mode), "id")
				b.JSON(d, "append", `[{"id":7,"w":"kept"}]`)
				_, err := b.Try(d, mode, intake.Arrow, arrowOf(t, c.field, c.value))
				told := storage.Explain(err)
				if err == nil || told.Kind != fault.Invalid || told.Code != c.code || !strings.Contains(told.Detail, c.says) {
					t.Errorf("%v: %+v", err, told)
				}
				b.Want(d, "head", `{"id":7,"w":"kept"}`)
			})
		}
	}
	b.Sound()
}

// No records are a commit that changes nothing, in every mode and format that can say so.
func TestNoRecordsChangeNothing(t *testing.T) {
	id := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}}, nil)
	empty := func(s *arrow.Schema) string {
		var out bytes.Buffer
		if err := ipc.NewWriter(&out, ipc.WithSchema(s)).Close(); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	b := open(t)
	for _, key := range [][]string{{"id"}, nil} {
		for _, mode := range []catalog.Mode{catalog.Append, catalog.Upsert, catalog.Overwrite, catalog.Delete} {
			for name, u := range map[string]struct {
				format intake.Format
				body   string
			}{
				"json": {intake.JSON, "[]"}, "ndjson": {intake.NDJSON, ""}, "csv": {intake.CSV, "id\n"},
				"arrow": {intake.Arrow, empty(id)}, "arrow without columns": {intake.Arrow, empty(arrow.NewSchema(nil, nil))},
			} {
				t.Run(fmt.Sprintf("%s %s key %v", mode, name, key), func(t *testing.T) {
					d := b.Create(fmt.Sprint(mode, name, key), key...)
					b.JSON(d, "append", `[{"id":7,"w":"kept"}]`)
					before := b.Rows(d, "head", false)
					if c := b.Put(d, mode, u.format, u.body); c.Added+c.Modified+c.Removed != 0 || c.Total != 1 {
						t.Error(storagetest.Counts(c))
					}
					b.Want(d, "head", before...)
				})
			}
		}
	}
	b.Sound()
}

// Text that DuckDB takes for JSON, and that is not JSON, stays text.
func TestTextThatIsNotJSONDoesNotBecomeJSON(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"v":"[1]","w":"{\"a\": 1}"},{"id":2,"v":"[NaN]"}]`)
	to := "JSON"
	if _, _, err := b.TryEdit(d, "v", storage.VariableEdit{Type: &to}); err == nil ||
		storage.Explain(err).Kind != fault.Invalid {
		t.Errorf("v became JSON: %v", err)
	}
	if _, _, err := b.TryEdit(d, "w", storage.VariableEdit{Type: &to}); err != nil {
		t.Error(err)
	}
	b.Sound()
}

// Brackets that leave no trace in the parsed SQL are parsed again wherever the derivation is read.
func TestDerivationsThatAreTooDeep(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"v":"((("}]`)
	derive := func(name string, depth int) error {
		text := strings.Repeat("(", depth) + "v" + strings.Repeat(")", depth)
		_, _, err := b.CreateVariable(t.Context(), d, storage.NewVariable{Name: name, Derivation: text}, storage.Request{})
		return err
	}
	for _, depth := range []int{600, 100_000} {
		if err := derive("deep", depth); storage.Explain(err).Kind != fault.Invalid {
			t.Errorf("%d brackets: %v", depth, err)
		}
	}
	if err := derive("fine", 400); err != nil {
		t.Error(err)
	}
	b.Want(d, "head", `{"id":1,"v":"(((","fine":"((("}`)
}
