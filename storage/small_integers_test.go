package storage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

// Whole numbers of JSON become those of smaller types in memory where they fit. It makes no difference: a large upload,
// whose numbers DuckDB converts, leaves the same records and types, also where a number does not fit.
func TestIntegersOfSmallTypes(t *testing.T) {
	t.Parallel()
	b := open(t)
	for name, bounds := range map[string][3]string{ // the least, the greatest, and one that does not fit
		"TINYINT": {"-128", "127", "128"}, "SMALLINT": {"-32768", "32767", "-32769"},
		"INTEGER":  {"-2147483648", "2147483647", "2147483648"},
		"BIGINT":   {"-9223372036854775808", "9223372036854775807", "0"},
		"UTINYINT": {"0", "255", "-1"}, "USMALLINT": {"0", "65535", "65536"}, "UINTEGER": {"0", "4294967295", "-1"},
		"UBIGINT": {"0", "9223372036854775807", "-1"},
	} {
		var left []string
		for _, padding := range []int{0, 100_000} {
			d := b.Create(fmt.Sprint(name, padding), "k")
			_, err := b.Generated(d, catalog.Append, "SELECT 0 AS k, CAST(1 AS "+name+") AS i, [CAST(2 AS "+name+")] AS l")
			b.Must(err)
			for k, c := range []struct {
				mode  catalog.Mode
				value string
			}{
				{catalog.Append, bounds[0]}, {catalog.Append, bounds[1]}, {catalog.Append, "null"},
				{catalog.Upsert, bounds[1]}, {catalog.Upsert, "7"}, {catalog.Upsert, bounds[2]},
			} {
				body := fmt.Sprintf(`[{"k":%d,"i":%s,"l":[%s]}%s]`, 1+k%3, c.value, c.value, strings.Repeat(" ", padding))
				commit, err := b.Try(d, c.mode, intake.JSON, body)
				left = append(left, fmt.Sprint(c, " ", storagetest.Counts(commit), " ", err))
			}
			state, err := b.State(context.Background(), d, "head")
			b.Must(err)
			left = append(left, storagetest.ToJSON(state.Schema.Columns), strings.Join(b.Rows(d, "head", false), "\n"))
		}
		few, many := strings.Join(left[:len(left)/2], "\n"), strings.Join(left[len(left)/2:], "\n")
		if few != many {
			t.Errorf("%s: few records leave\n%s\nmany\n%s", name, few, many)
		}
	}
	b.Sound()
}
