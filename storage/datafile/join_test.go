package datafile_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/schema"
)

// Files with some of the columns each, joined, equal the file with all of them, to DuckDB and in their footers. The
// files have several row groups and columns of every type.
func TestJoinedFilesAreOne(t *testing.T) {
	conn := ducktest.ConnOf(t, duck.Limits{Threads: 2})
	spec := datafile.Spec{Kind: schema.Data, Dataset: "d", Commit: 7, File: 8}
	var list []string
	for typ, value := range values {
		parsed, err := schema.Parse(typ)
		if err != nil {
			t.Fatal(err)
		}
		column := schema.Column{ID: len(list) + 1, Name: fmt.Sprintf("c%d", len(list)), Type: parsed}
		spec.Columns = append(spec.Columns, column)
		list = append(list, fmt.Sprintf("CASE WHEN n %% 3 > 0 THEN CAST(%s AS %s) END", value, parsed.SQL()))
	}
	list = append(list, "n")
	const rows = 130_000
	dir := t.TempDir()
	var paths []string
	all := spec.All()
	for from := 0; from < len(all); from += 7 {
		to := min(from+7, len(all))
		query := "SELECT "
		for _, e := range list[from:to] {
			query += e + ", "
		}
		path := filepath.Join(dir, fmt.Sprint(from))
		query = fmt.Sprintf("%s FROM range(%d) t(n)", query[:len(query)-2], rows)
		n, err := datafile.CopySome(t.Context(), conn, query, path, spec, all[from:to])
		if err != nil || n != rows {
			t.Fatal(n, err)
		}
		paths = append(paths, path)
	}
	joined, whole := filepath.Join(dir, "joined"), filepath.Join(dir, "whole")
	if err := datafile.Join(joined, paths); err != nil {
		t.Fatal(err)
	}
	query := "SELECT "
	for _, e := range list {
		query += e + ", "
	}
	query = fmt.Sprintf("%s FROM range(%d) t(n)", query[:len(query)-2], rows)
	if _, err := datafile.Copy(t.Context(), conn, query, whole, spec); err != nil {
		t.Fatal(err)
	}
	for _, ask := range []string{
		`SELECT count(*) FROM ((SELECT CAST(t AS VARCHAR) FROM read_parquet('%[1]s') t)
			EXCEPT ALL (SELECT CAST(t AS VARCHAR) FROM read_parquet('%[2]s') t))`,
		`SELECT count(*) FROM
			((SELECT name, type, converted_type, field_id, logical_type FROM parquet_schema('%[1]s')) EXCEPT ALL
			(SELECT name, type, converted_type, field_id, logical_type FROM parquet_schema('%[2]s')))`,
		`SELECT count(*) FROM
			((SELECT row_group_id, row_group_num_rows, path_in_schema, num_values, stats_min_value, stats_max_value,
				stats_null_count, encodings FROM parquet_metadata('%[1]s')) EXCEPT ALL
			(SELECT row_group_id, row_group_num_rows, path_in_schema, num_values, stats_min_value, stats_max_value,
				stats_null_count, encodings FROM parquet_metadata('%[2]s')))`,
		`SELECT count(*) FROM ((SELECT key, value FROM parquet_kv_metadata('%[1]s'))
			EXCEPT ALL (SELECT key, value FROM parquet_kv_metadata('%[2]s')))`,
		`SELECT abs(max(num_rows) - min(num_rows)) + abs(max(num_row_groups) - min(num_row_groups)) + (count(*) - 2)
			FROM parquet_file_metadata(['%[1]s', '%[2]s'])`,
	} {
		var differ int64
		if err := conn.Row(t.Context(), fmt.Sprintf(ask, joined, whole), &differ); err != nil || differ != 0 {
			t.Errorf("%s: %d %v", ask, differ, err)
		}
	}
	footer, err := datafile.Inspect(joined)
	if err != nil || len(footer.Columns) != len(all) {
		t.Errorf("%d columns: %v", len(footer.Columns), err)
	}
	if _, err := datafile.CopySome(t.Context(), conn, "SELECT 1", paths[0]+"x", spec, all[len(all)-1:]); err != nil {
		t.Fatal(err)
	}
	if err := datafile.Join(joined+"2", []string{whole, paths[0] + "x"}); err == nil {
		t.Error("files of different rows were joined")
	}
}
