//go:build duckdb_arrow

package output

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// A result that is read in slices of its columns is the one that is read by one statement, in every format.
func TestResultsInSlices(t *testing.T) {
	conn := ducktest.Conn(t)
	whole := wide(t, conn)
	sliced := Query{Columns: whole.Columns}
	for some := range slices.Chunk(whole.Columns, 7) {
		names := make([]string, len(some))
		for i, c := range some {
			names[i] = duck.Ident(c.Name)
		}
		sql := "SELECT " + strings.Join(names, ", ") + " FROM (" + whole.SQL + ")"
		sliced.Slices = append(sliced.Slices, Query{SQL: sql, Columns: some})
	}
	for _, format := range []intake.Format{intake.JSON, intake.NDJSON, intake.CSV, intake.Arrow, intake.Parquet} {
		dir := t.TempDir()
		var texts [2]string
		for i, q := range []Query{whole, sliced} {
			var out bytes.Buffer
			if _, err := Write(t.Context(), conn, q, format, &out, filepath.Join(dir, "scratch")); err != nil {
				t.Fatalf("%s: %v", format, err)
			}
			texts[i] = plainly(t, conn, format, out.Bytes())
		}
		if texts[0] != texts[1] {
			t.Errorf("%s in slices:\n%s\nnot\n%s", format, texts[1], texts[0])
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s leaves %v, %v", format, left, err)
		}
	}
}

// plainly returns what is in a body, as text.
func plainly(t *testing.T, conn *duck.Conn, format intake.Format, body []byte) string {
	t.Helper()
	switch format {
	case intake.Arrow:
		in, err := ipc.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Release()
		out := in.Schema().String()
		for in.Next() {
			out += array.RecordToStructArray(in.RecordBatch()).String()
		}
		return out
	case intake.Parquet:
		path := filepath.Join(t.TempDir(), "file.parquet")
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		var out string
		query := fmt.Sprintf("SELECT string_agg(to_json(p) || typeof(p), chr(10)) FROM %s p", duck.Text(path))
		if err := conn.Row(t.Context(), query, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	return string(body)
}

// Slices that do not have the same rows are an error, not a mix of records.
func TestSlicesWithDifferentRows(t *testing.T) {
	conn := ducktest.Conn(t)
	column := []schema.Column{{Name: "a", Type: schema.Of(schema.Bigint)}}
	q := Query{Slices: []Query{
		{SQL: "SELECT 1::BIGINT AS a", Columns: column}, {SQL: "SELECT 1::BIGINT AS a FROM range(2)", Columns: column},
	}}
	for _, format := range []intake.Format{intake.JSON, intake.CSV, intake.Arrow, intake.Parquet} {
		out := bytes.Buffer{}
		if _, err := Write(t.Context(), conn, q, format, &out, filepath.Join(t.TempDir(), "scratch")); err == nil {
			t.Errorf("%s: %s", format, out.String())
		}
	}
}
