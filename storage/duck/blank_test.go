//go:build duckdb_arrow

package duck_test

import (
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/rowback/rowback/storage/duck/ducktest"
)

// A process that served other statements still has their values in its memory. The places of nulls do not show them.
func TestNullsHaveNothingOfEarlierStatements(t *testing.T) {
	ctx, conn := t.Context(), ducktest.Conn(t)
	const secrets = `SELECT range AS i, {'p': -1 - range} AS s, 'secret ' || range AS t FROM range(20000)`
	const tables = "CREATE TABLE kept AS FROM (" + secrets + "); CREATE TABLE used AS SELECT " + columnsWithNulls
	if _, err := conn.Exec(ctx, tables); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for _, query := range []string{"FROM kept ORDER BY t", "FROM used"} {
			batch, err := conn.Batch(ctx, query)
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range batch.Columns() {
				checkBlank(t, batch.ColumnName(i), c.Data())
			}
			batch.Release()
		}
	}
}

const columnsWithNulls = `CASE WHEN i % 3 = 0 THEN i END AS whole,
	CASE WHEN i % 3 = 0 THEN i::DECIMAL(20, 2) END AS decimal,
	CASE WHEN i % 3 = 0 THEN {'p': i, 'q': [i, NULL]} END AS s, CASE WHEN i % 3 = 0 THEN [i, NULL] END AS list,
	fixed, CASE WHEN i % 3 = 0 THEN i % 2 = 0 END AS yes,
	CASE WHEN i % 3 = 0 THEN uuid() END AS id, CASE WHEN i % 3 = 0 THEN TIMESTAMP '2026-01-31' END AS at,
	CASE WHEN i % 3 = 0 THEN i::TINYINT END AS tiny, CASE WHEN i % 3 = 0 THEN INTERVAL 1 DAY END AS span
	FROM (SELECT range % 100 AS i FROM range(20000)) LEFT JOIN
	(SELECT range AS k, [range, NULL]::BIGINT[2] AS fixed FROM range(0, 100, 3)) ON k = i`

// checkBlank reports places of nulls that have something in them.
func checkBlank(t *testing.T, name string, a arrow.ArrayData) {
	for _, child := range a.Children() {
		checkBlank(t, name, child)
	}
	buffers := a.Buffers()
	fixed, ok := a.DataType().(arrow.FixedWidthDataType)
	if !ok || fixed.BitWidth() < 8 || len(buffers) < 2 || buffers[0] == nil || buffers[1] == nil {
		return
	}
	width := fixed.BitWidth() / 8
	for i := range a.Len() {
		if buffers[0].Bytes()[i/8]>>(i%8)&1 == 1 {
			continue
		}
		place := buffers[1].Bytes()[i*width : (i+1)*width]
		if slices.ContainsFunc(place, func(b byte) bool { return b != 0 }) {
			t.Errorf("null %d of %s (%s) is %x", i, name, a.DataType(), place)
			return
		}
	}
}
