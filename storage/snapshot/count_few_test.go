package snapshot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rowback/rowback/storage/snapshot"
)

// plainRecords returns records with some of many columns of plain types.
func (l *listings) plainRecords(from, to int) string {
	var list []map[string]any
	for id := from; id < to; id++ {
		record := map[string]any{"id": id, "part": fmt.Sprint("é", id%3)}
		for c := range 130 {
			n := l.IntN(3)
			if n > 0 && l.IntN(3) == 0 {
				record[fmt.Sprintf("c%d", c)] = []any{n, fmt.Sprint("t", n), float64(n) / 8, n == 1,
					fmt.Sprintf("2026-01-0%d", n), fmt.Sprintf("2026-01-0%dT00:00:00Z", n)}[c%6]
			}
		}
		list = append(list, record)
	}
	text, err := json.Marshal(list)
	if err != nil {
		l.Fatal(err)
	}
	return string(text)
}

// Few records of many columns are counted without a statement that compares, and to the same end: added, removed and
// modified ones, columns that came later, and nulls on either side.
func TestFewRecordsOfManyColumnsAreCountedAsByStatements(t *testing.T) {
	l := open(t, "id", "part")
	refs := []string{"0", l.commit("append", l.plainRecords(0, 20))}
	refs = append(refs, l.commit("upsert", l.plainRecords(10, 25)), l.commit("overwrite", l.plainRecords(5, 12)))
	refs = append(refs, l.commit("delete", `[{"id":3,"part":"é0"},{"id":11,"part":"é2"}]`))
	conn, err := l.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var seen snapshot.Counts
	for _, from := range refs {
		for _, to := range refs[1:] {
			if from == to {
				continue
			}
			counts, err := l.diff(from, to).CountAll(context.Background(), conn)
			if err != nil {
				t.Fatal(from, to, err)
			}
			read, sliced, joined := counts[0], counts[1], counts[2]
			if !reflect.DeepEqual(read, sliced) || !reflect.DeepEqual(read.Counted(), joined) {
				t.Errorf("from %s to %s there are\n%+v\nin slices\n%+v\nby statements\n%+v", from, to, read, sliced, joined)
			}
			seen.Added, seen.Removed = seen.Added+read.Added, seen.Removed+read.Removed
			seen.Modified += read.Modified
		}
	}
	if seen.Added == 0 || seen.Removed == 0 || seen.Modified == 0 {
		t.Errorf("%+v differ in all", seen)
	}
}

// As in SQL, a NaN is not distinct from another, nor 0 from -0.
func TestNumbersThatAreNotDistinct(t *testing.T) {
	b := array.NewFloat64Builder(memory.DefaultAllocator)
	b.AppendValues([]float64{math.NaN(), 0, math.Copysign(0, -1), 1}, nil)
	b.AppendNull()
	values := b.NewArray()
	same := [][2]int{{0, 0}, {1, 2}, {3, 3}, {4, 4}}
	for i := range values.Len() {
		for j := i; j < values.Len(); j++ {
			want := false
			for _, pair := range same {
				want = want || pair == [2]int{i, j} || i == j
			}
			if got := snapshot.SameValue(values, i, values, j); got != want {
				t.Errorf("%s and %s: %v", values.ValueStr(i), values.ValueStr(j), got)
			}
		}
	}
}
