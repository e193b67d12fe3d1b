package intake

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/duck/ducktest"
)

// Several files with the same columns, in any order, have the records of one, numbered through.
func TestParquetFilesAreReadAsOne(t *testing.T) {
	conn := ducktest.Conn(t)
	several := Upload{Format: Parquet}
	const order, other = "n, 't' || n AS t, {'a': n} AS s", "{'a': n} AS s, n, 't' || n AS t"
	for i, columns := range []string{order, other, order} {
		one := parquetUpload(t, conn, fmt.Sprintf("SELECT %s FROM range(%d, %d) r(n)", columns, 4000*i, 4000*(i+1)))
		several.Files = append(several.Files, File{Path: one.Path, Name: fmt.Sprint("file ", i)})
		several.Size += one.Size
	}
	got, err := openParquet(t.Context(), conn, several)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := openParquet(t.Context(), conn,
		parquetUpload(t, conn, "SELECT n, 't' || n AS t, {'a': n} AS s FROM range(12000) r(n)"))
	if err != nil {
		t.Fatal(err)
	}
	want := Want{Columns: []int{0, 1, 2}}
	if n := differences(t, conn, relation(t, conn, got, want), relation(t, conn, whole, want)); n != 0 {
		t.Errorf("%d rows differ", n)
	}
	unlike := parquetUpload(t, conn, "SELECT 1 AS n, 't' AS t, {'b': 1} AS s")
	several.Files = append(several.Files, File{Path: unlike.Path, Name: "file 3"})
	if _, err := openParquet(t.Context(), conn, several); err == nil || !strings.Contains(err.Error(), "file 3") {
		t.Error("files with other columns:", err)
	}
}
