package storage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/storagetest"
)

// wideModel is a model of records of many columns, most of which are null: the values of a record by column.
type wideModel map[int]map[int]int

// set gives records values in columns, and returns them as CSV. From there on records have no others where clear is
// set.
func (m wideModel) set(from, to int, columns []int, value func(id, column int) int, clear bool) string {
	out := strings.Builder{}
	out.WriteString("id")
	for _, c := range columns {
		fmt.Fprintf(&out, ",c%d", c)
	}
	for id := from; id < to; id++ {
		if m[id] == nil || clear {
			m[id] = map[int]int{}
		}
		fmt.Fprintf(&out, "\n%d", id)
		for _, c := range columns {
			m[id][c] = value(id, c)
			fmt.Fprintf(&out, ",%d", value(id, c))
		}
	}
	return out.String() + "\n"
}

// clone returns a model that can be changed without this one.
func (m wideModel) clone() wideModel {
	out := wideModel{}
	for id, values := range m {
		out[id] = map[int]int{}
		for c, v := range values {
			out[id][c] = v
		}
	}
	return out
}

// sum is a number that every value of every record is in.
func (m wideModel) sum() (sum int) {
	for id, values := range m {
		for c, v := range values {
			sum += (id + 1) * (c + 1) * v
		}
	}
	return sum
}

// equals compares the records at a dataset's head with the model.
func (m wideModel) equals(b *bench, dataset string, columns int) {
	b.Helper()
	snap, err := b.Snapshot(context.Background(), dataset, "head")
	if err != nil {
		b.Fatal(err)
	}
	conn, err := b.Conn(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	terms := make([]string, columns)
	for c := range terms {
		terms[c] = fmt.Sprintf("%d * coalesce(c%d, 0)", c+1, c)
	}
	query := fmt.Sprintf("SELECT count(*), CAST(sum((id + 1) * list_sum([%s])) AS BIGINT) FROM (%s)",
		strings.Join(terms, ", "), snap.StoredTable())
	var records, sum int
	if err := conn.Row(context.Background(), query, &records, &sum); err != nil {
		b.Fatal(err)
	}
	if records != len(m) || sum != m.sum() {
		b.Errorf("there are %d records, which sum up to %d, not %d with %d", records, sum, len(m), m.sum())
	}
}

// More records of many columns than are written from memory are changed in slices of the columns, and come to what
// narrow ones do.
func TestManyWideRecordsAreChangedInSlices(t *testing.T) {
	const n, records, last = snapshot.SliceColumns + 2, 1010, snapshot.SliceColumns + 1 // two slices
	b, m := open(t), wideModel{}
	d := b.Create("wide", "id")
	b.JSON(d, "append", "["+someOf(0, n, 0, func(int) bool { return true })+"]")
	m.set(0, 1, seq(n), func(_, c int) int { return c }, false)
	did := func(mode catalog.Mode, body, want string) int64 {
		t.Helper()
		c := b.Put(d, mode, intake.CSV, body)
		if got := storagetest.Counts(c); got != want {
			t.Errorf("the %s did %s", mode, got)
		}
		m.equals(b, d, n)
		return c.ID
	}
	idOr0 := func(id, c int) int {
		if c == 0 {
			return id
		}
		return 0
	}
	did("append", m.set(1, records, []int{0, 500, last}, idOr0, false), "+1009 -0 ~0 =1010")
	f, g, both := b.MakeFork(d, "fork", "head"), b.MakeFork(d, "target", "head"), m.clone()

	odd := func(id, _ int) int { return id % 2 }
	did("upsert", m.set(0, records, []int{last}, odd, false), "+0 -0 ~506 =1010") // differ in the last slice alone
	before := m.clone()
	c := did("overwrite", m.set(500, 1210, []int{0, last}, idOr0, true), "+200 -0 ~510 =1210")
	if _, err := b.TryRollback(d, c, storage.Records); err != nil {
		t.Fatal(err)
	}
	m = before
	m.equals(b, d, n)
	for id := 600; id < records; id++ {
		delete(m, id)
	}
	did("replace", m.set(0, 600, []int{0, 500, last}, idOr0, true), "+0 -410 ~301 =600")

	// What the target changed and changed back is as the action found it, but for its place: the files are made anew.
	b.Put(f, "upsert", intake.CSV, both.set(0, records, []int{0, last}, func(id, c int) int { return id + c + 7 }, false))
	b.JSON(g, "upsert", `[{"id":5,"c1":1}]`)
	b.JSON(g, "upsert", `[{"id":5,"c1":null}]`)
	b.MakeMerge(f, g)
	both.equals(b, g, n)
	b.Sound()
}

func seq(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
