package datafile_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/schema"
)

// values has a value at the limits of every type that a column can have, with nulls at each level.
var values = map[string]string{
	"BOOLEAN":                  "true",
	"TINYINT":                  "(-128)::TINYINT",
	"SMALLINT":                 "(-32768)::SMALLINT",
	"INTEGER":                  "(-2147483648)::INTEGER",
	"BIGINT":                   "9223372036854775807::BIGINT",
	"UTINYINT":                 "255::UTINYINT",
	"USMALLINT":                "65535::USMALLINT",
	"UINTEGER":                 "4294967295::UINTEGER",
	"UBIGINT":                  "18446744073709551615::UBIGINT",
	"FLOAT":                    "'nan'::FLOAT",
	"DOUBLE":                   "0.1::DOUBLE",
	"DECIMAL(9,2)":             "-1234567.89::DECIMAL(9,2)",
	"DECIMAL(18,4)":            "-12345678901234.5678::DECIMAL(18,4)",
	"DECIMAL(38,0)":            "-99999999999999999999999999999999999999::DECIMAL(38,0)",
	"VARCHAR":                  "'naïve “quotes” ' || chr(10) || '🦆'",
	"BLOB":                     `'\x00\xFFab'::BLOB`,
	"JSON":                     `'{"a":[1,null]}'::JSON`,
	"UUID":                     "'00112233-4455-6677-8899-aabbccddeeff'::UUID",
	"DATE":                     "DATE '1901-02-03'",
	"TIME":                     "TIME '23:59:59.999999'",
	"TIMESTAMP":                "TIMESTAMP '1066-10-14 09:00:00.000001'",
	"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ '2024-01-01 10:00:00.123456+05'",
	"TIMESTAMP_NS":             "'2024-01-01 10:00:00.123456789'::TIMESTAMP_NS",
	"INTEGER[]":                "[1, NULL, 3]",
	"VARCHAR[][]":              "[['a', NULL], [], NULL]",
	`STRUCT(a INTEGER, "b c" STRUCT(d VARCHAR, e DOUBLE[]))`: `{a: 1, 'b c': {d: NULL, e: [1.5]}}`,
	"STRUCT(k VARCHAR, v INTEGER[])[]":                       "[{k: 'x', v: [1,2]}, {k: NULL, v: []}, NULL]",
	"MAP(VARCHAR, STRUCT(n BIGINT)[])":                       "MAP {'a': [{n: 1}, NULL], 'b': NULL}",
}

// Both writers must write files that DuckDB reads as the same type and value, with field ids and metadata.
func TestBothWritersKeepEveryType(t *testing.T) {
	ctx := context.Background()
	conn := ducktest.ConnOf(t, duck.Limits{Threads: 2})
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			typ, err := schema.Parse(name)
			if err != nil {
				t.Fatal(err)
			}
			column := schema.Column{ID: 4, Name: `v "x"`, Type: typ}
			spec := datafile.Spec{Kind: schema.Data, Dataset: "d", Commit: 7, File: 9, Columns: []schema.Column{column}}
			query := "SELECT CAST(v AS " + typ.SQL() + "), 7::BIGINT" +
				" FROM (VALUES (" + value + "), (NULL), (" + value + ")) t(v)"
			for writer, write := range map[string]func(path string) error{
				"DuckDB":     func(path string) error { _, err := datafile.Copy(ctx, conn, query, path, spec); return err },
				"parquet-go": func(path string) error { return encodeTo(ctx, conn, query, path, spec) },
			} {
				path := filepath.Join(t.TempDir(), "f.parquet")
				if err := write(path); err != nil {
					t.Fatalf("%s: %v", writer, err)
				}
				var same, gone bool
				var stored string
				if err := conn.Row(ctx, `SELECT bool_and(v IS NOT DISTINCT FROM w), bool_or(v IS NULL), any_value(typeof(v)) FROM
					(SELECT "v ""x""" AS v, row_number() OVER () AS n FROM `+duck.Text(path)+`) JOIN
					(SELECT c0 AS w, row_number() OVER () AS n FROM (`+query+`) q(c0, c1)) USING (n)`,
					&same, &gone, &stored); err != nil {
					t.Fatal(writer, err)
				}
				if !same || !gone {
					t.Errorf("%s: values differ: same %v, null kept %v", writer, same, gone)
				}
				if got, _ := schema.Parse(stored); !got.Equal(typ) {
					t.Errorf("%s: read back as %s", writer, stored)
				}
				var id int
				idQuery := `SELECT field_id FROM parquet_schema(` + duck.Text(path) + `) WHERE name = 'v "x"'`
				if err := conn.Row(ctx, idQuery, &id); err != nil || id != 4 {
					t.Errorf("%s: field id %d, %v", writer, id, err)
				}
				footer, err := readFooter(path)
				want := datafile.Footer{Kind: schema.Data, Dataset: "d", Commit: 7, File: 9, Rows: 3}
				if err != nil || footer != want {
					t.Errorf("%s: footer %+v, %v", writer, footer, err)
				}
			}
		})
	}
}

func encodeTo(ctx context.Context, conn *duck.Conn, query, path string, spec datafile.Spec) error {
	r, err := conn.Stream(ctx, query)
	if err != nil {
		return err
	}
	defer r.Close()
	batch, err := r.All()
	if err != nil {
		return err
	}
	defer batch.Release()
	data, err := datafile.Encode(batch, spec)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

func readFooter(path string) (datafile.Footer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return datafile.Footer{}, err
	}
	return datafile.ReadFooter(bytes.NewReader(data), int64(len(data)))
}
