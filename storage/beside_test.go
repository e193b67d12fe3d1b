package storage_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
)

// Commits to several datasets at once, from Arrow and from JSON, in modes that look keys up and conditions that select,
// leave each dataset with its own records: what one connection reads of a stream is not seen by another.
func TestCommitsBesideEachOther(t *testing.T) {
	b := open(t)
	const datasets, rounds = 6, 12
	var work sync.WaitGroup
	for n := range datasets {
		d := b.Create(fmt.Sprint("d", n), "id")
		if n%2 == 1 { // a column that the others don't have
			b.JSON(d, "append", `[{"id":-1,"v":"","odd":1}]`)
		}
		work.Go(func() {
			for i := range rounds {
				b.apart(d, n, i)
			}
		})
	}
	work.Wait()
	b.Sound()
}

// apart makes a round of commits to dataset number n, and looks at what it holds.
func (b *bench) apart(d string, n, i int) {
	value := func(what string) string { return fmt.Sprintf("%d %s %d", n, what, i) }
	steps := []struct {
		mode   string
		format intake.Format
		body   string
	}{
		{"append", intake.Arrow, records(b.T, value("new"), 10*i, 10*i+1, 10*i+2)},
		{"upsert", intake.JSON, fmt.Sprintf(`[{"id":%d,"v":%q},{"id":%d,"v":%q}]`, 10*i, value("changed"), 10*i+3,
			value("late"))},
		{"overwrite", intake.Arrow, records(b.T, value("over"), 10*i+1)},
		{"delete", intake.JSON, fmt.Sprintf(`[{"id":%d}]`, 10*i+2)},
	}
	for _, s := range steps {
		if _, err := b.Try(d, catalog.Mode(s.mode), s.format, s.body); err != nil {
			b.Errorf("dataset %d, round %d, %s: %v", n, i, s.mode, err)
			return
		}
	}
	want := fmt.Sprintf("[%s %s %s]", value("changed"), value("over"), value("late"))
	if got := b.values(d, 10*i, 10*i+9); got != want {
		b.Errorf("dataset %d, round %d has %s, not %s", n, i, got, want)
	}
}

// records is an Arrow stream of records that share a value.
func records(t *testing.T, value string, ids ...int) string {
	id, v := array.NewInt64Builder(memory.DefaultAllocator), array.NewStringBuilder(memory.DefaultAllocator)
	for _, i := range ids {
		id.Append(int64(i))
		v.Append(value)
	}
	s := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "v", Type: arrow.BinaryTypes.String}}, nil)
	return stream(t, s, id.NewArray(), v.NewArray())
}

// values lists the values of the records from one key to another, in their order.
func (b *bench) values(d string, from, to int) string {
	ctx := context.Background()
	snap, err := b.Snapshot(ctx, d, "head")
	if err != nil {
		return err.Error()
	}
	conn, err := b.Conn(ctx)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	var list []string
	if err := conn.Rows(ctx, fmt.Sprintf("SELECT v FROM (%s) WHERE id BETWEEN %d AND %d ORDER BY id", snap.Table(), from,
		to), func(scan duck.Scan) error {
		var v string
		err := scan(&v)
		list = append(list, v)
		return err
	}); err != nil {
		return err.Error()
	}
	return fmt.Sprint(list)
}
