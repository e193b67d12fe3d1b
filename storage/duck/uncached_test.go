package duck_test

import (
	"fmt"
	"testing"

	"github.com/rowback/rowback/storage/duck/ducktest"
)

// What is read once must not stay in memory: a server that runs for long reads very many files.
func TestFilesThatWereReadDoNotStayInMemory(t *testing.T) {
	conn, file := ducktest.Conn(t), t.TempDir()+"/a.parquet"
	if _, err := conn.Exec(t.Context(), fmt.Sprintf("COPY (SELECT i FROM range(1000) t(i)) TO '%s'", file)); err != nil {
		t.Fatal(err)
	}
	var sum, kept int64
	if err := conn.Row(t.Context(), fmt.Sprintf("SELECT sum(i)::BIGINT FROM read_parquet('%s')", file), &sum); err != nil {
		t.Fatal(err)
	}
	err := conn.Row(t.Context(), "SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = 'EXTERNAL_FILE_CACHE'", &kept)
	if err != nil || sum != 499500 || kept != 0 {
		t.Errorf("sum %d, %d bytes kept, %v", sum, kept, err)
	}
}
