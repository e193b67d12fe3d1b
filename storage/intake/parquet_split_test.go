package intake

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
)

// A Parquet file of very many columns, which is read from parts with some of them each, has the columns and the values
// of one that is read as a whole: of every kind of type, in one row group and in several.
func TestAWideParquetFileIsReadInParts(t *testing.T) {
	conn := ducktest.Conn(t)
	kinds := []string{"n + %d", "CASE WHEN n %% 3 > 0 THEN n / %d END", "'text ' || (n %% 5) || '%d'", "[n, %d]",
		"{'a': n, 'b': ['x', '%d']}", "MAP {'k%d': n}", "TIMESTAMPTZ '2026-01-01' + INTERVAL (n + %d) MINUTE",
		"CAST(n AS DECIMAL(9,2)) + %d", "NULL::INTEGER + %d"}
	for _, rows := range []int{7, 4100} {
		var list []string
		for i := range ParquetPart + 150 {
			list = append(list, fmt.Sprintf(kinds[i%len(kinds)]+" AS \"c %d\"", i+1, i))
		}
		u := parquetUpload(t, conn, fmt.Sprintf("SELECT %s FROM range(%d) t(n)", strings.Join(list, ", "), rows))
		whole, err := openParquet(t.Context(), conn, u) // without a directory for parts
		if err != nil {
			t.Fatal(err)
		}
		u.Parts = filepath.Join(t.TempDir(), "parts")
		parts, err := openParquet(t.Context(), conn, u)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(parts.(*parquetRecords).parts); n != 2 || whole.(*parquetRecords).parts != nil {
			t.Fatalf("%d parts", n)
		}
		if !reflect.DeepEqual(parts.Columns(), whole.Columns()) {
			t.Error("the columns are others in parts")
		}
		for _, columns := range [][]int{nil, {3}, {ParquetPart + 4}, {ParquetPart - 1, ParquetPart, 2}, all(len(list))} {
			want := Want{Columns: columns}
			if differ := differences(t, conn, relation(t, conn, parts, want), relation(t, conn, whole, want)); differ != 0 {
				t.Errorf("%d rows of %d columns differ", differ, len(columns))
			}
		}
	}
}

func all(n int) (columns []int) {
	for i := range n {
		columns = append(columns, i)
	}
	return columns
}

func relation(t *testing.T, conn *duck.Conn, r Records, want Want) string {
	t.Helper()
	sql, _, err := r.Relation(t.Context(), conn, want)
	if err != nil {
		t.Fatal(err)
	}
	return sql
}

// differences returns how many rows of two relations differ, with their numbers.
func differences(t *testing.T, conn *duck.Conn, a, b string) (n int64) {
	t.Helper()
	const ask = `SELECT count(*) FROM ((SELECT CAST(t AS VARCHAR) FROM (%[1]s) t)
		EXCEPT ALL (SELECT CAST(t AS VARCHAR) FROM (%[2]s) t))`
	for _, sides := range [][2]string{{a, b}, {b, a}} {
		var more int64
		if err := conn.Row(t.Context(), fmt.Sprintf(ask, sides[0], sides[1]), &more); err != nil {
			t.Fatal(err)
		}
		n += more
	}
	return n
}

// The files that a file is split into have its columns in their order. One that can't be read is not split.
func TestTheColumnsOfAFileThatIsSplit(t *testing.T) {
	conn := ducktest.Conn(t)
	u := parquetUpload(t, conn, "SELECT 1 AS a, 'x' AS b FROM range(3)")
	if _, err := datafile.Split(u.Path+"x", t.TempDir(), 1); err == nil {
		t.Error("a file that is not there was split")
	}
	paths, err := datafile.Split(u.Path, t.TempDir(), 1)
	if err != nil || len(paths) != 2 {
		t.Fatal(paths, err)
	}
	for i, path := range paths {
		found, err := datafile.Inspect(path)
		if err != nil || len(found.Columns) != 1 || found.Columns[0].Name != []string{"a", "b"}[i] {
			t.Errorf("%+v %v", found.Columns, err)
		}
	}
}
