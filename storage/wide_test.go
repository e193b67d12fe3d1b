package storage_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/storagetest"
)

// wideColumns is how many columns wide records have here; WIDE sets another number.
func wideColumns(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("WIDE"))
	if err != nil {
		return 1000
	}
	t.Log(n, "columns")
	return n
}

// wide is records 1 and 2 as JSON, with n columns, each value that of its column plus shift.
func wide(n, shift int) string {
	var out strings.Builder
	for id := 1; id <= 2; id++ {
		fmt.Fprintf(&out, `,{"id":%d`, id)
		for i := range n {
			fmt.Fprintf(&out, `,"c%d":%d`, i, i+shift)
		}
		out.WriteByte('}')
	}
	return "[" + out.String()[1:] + "]"
}

// What is done to wide records takes memory by their columns, not by the square of them: 1 GB is more than enough.
func TestWideRecords(t *testing.T) {
	ctx, n := context.Background(), wideColumns(t)
	b := reopen(t, t.TempDir(), storage.Options{Memory: 2 << 30})
	d := b.Create("wide", "id")
	first := b.JSON(d, "append", wide(n, 0))
	f := b.MakeFork(d, "fork", "head")
	b.JSON(d, "upsert", wide(n, 1))
	before, _ := b.Snapshot(ctx, d, fmt.Sprint(first.ID))
	after, err := b.Snapshot(ctx, d, "head")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := b.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c, err := snapshot.Diff(before, after).Count(ctx, conn)
	if err != nil || c.Modified != 2 || len(c.Columns) != n {
		t.Errorf("%d records differ in %d columns, not 2 in %d: %v", c.Modified, len(c.Columns), n, err)
	}
	b.JSON(f, "upsert", wide(n, 1))
	b.JSON(f, "upsert", `[{"id":1,"c0":9}]`)
	b.MakeMerge(f, d)
	one := "[" + someOf(2, n, 5, func(int) bool { return true }) + "]"
	if c := b.JSON(d, "replace", one); storagetest.Counts(c) != "+0 -1 ~1 =1" {
		t.Errorf("the replace did %s", storagetest.Counts(c))
	}
	if c := b.JSON(d, "replace", "[]"); storagetest.Counts(c) != "+0 -1 ~0 =0" {
		t.Errorf("the replace by nothing did %s", storagetest.Counts(c))
	}
	if c := b.JSON(f, "delete", `[{"id":1}]`); storagetest.Counts(c) != "+0 -1 ~0 =1" {
		t.Errorf("the delete did %s", storagetest.Counts(c))
	}
	b.Sound()
}

// The types of a wide CSV are found as those of a narrow one.
func TestWideCSV(t *testing.T) {
	n := wideColumns(t)
	kinds := []struct{ value, typ string }{{"1", "BIGINT"}, {"0.5", "DOUBLE"}, {"2024-01-31", "DATE"}, {"007", "VARCHAR"},
		{"", "NULL"}, {"true", "BOOLEAN"}}
	var names, values, want []string
	for i := range n {
		k := kinds[i%len(kinds)]
		names, values = append(names, fmt.Sprintf("c%d", i)), append(values, k.value)
		want = append(want, fmt.Sprintf("c%d %s", i, k.typ))
	}
	b := open(t)
	d := b.Create("wide")
	b.Put(d, "append", intake.CSV, strings.Join(names, ",")+"\n"+strings.Join(values, ",")+"\n")
	if got := types(b, d); got != strings.Join(want, ", ") {
		t.Error(got)
	}
}

// Wide uploads reserve much memory that they do not use, and the process that read them does not give it back. The next
// upload finds as much as the first.
func TestWideUploadsFollowOneAnother(t *testing.T) {
	b := reopen(t, t.TempDir(), storage.Options{Memory: 12 << 30})
	var names, values []string
	for i := range 1000 {
		names, values = append(names, fmt.Sprintf("c%d", i)), append(values, fmt.Sprintf("%d.5", i))
	}
	body := strings.Join(names, ",") + strings.Repeat("\n"+strings.Join(values, ","), 200) + "\n"
	for i := range 6 {
		b.Put(b.Create(fmt.Sprint("wide", i)), "append", intake.CSV, body)
	}
}

// A small upload can hold records that are too large for memory: those are read a second time, all of them.
func TestSparseRecordsOfASmallUpload(t *testing.T) {
	b := open(t)
	d := b.Create("sparse", "id")
	var body strings.Builder
	body.WriteString(`[{"id":0`)
	for i := range 300 {
		fmt.Fprintf(&body, `,"c%d":%d`, i, i)
	}
	body.WriteString("}")
	const records = 4000
	for i := 1; i < records; i++ {
		fmt.Fprintf(&body, `,{"id":%d}`, i)
	}
	body.WriteString("]")
	if c := b.JSON(d, "overwrite", body.String()); c.Added != records || c.Total != records {
		t.Errorf("%d of %d records were added, there are %d", c.Added, records, c.Total)
	}
	if c := b.JSON(d, "delete", body.String()); c.Removed != records {
		t.Errorf("%d of %d records were removed", c.Removed, records)
	}
}

// Thousands of columns of CSV are read within a small memory limit, by statements on some of them each.
func TestThousandsOfColumnsOfCSV(t *testing.T) {
	b := reopen(t, t.TempDir(), storage.Options{Memory: 1 << 30})
	tested, written := b.MostColumns()
	if tested > 250 || written > 400 {
		t.Errorf("statements test %d columns and write %d", tested, written)
	}
	const n = 4000
	kinds := []struct{ value, typ string }{{"%d", "BIGINT"}, {"%d.5", "DOUBLE"}, {"t%d", "VARCHAR"},
		{"2024-01-%02d", "DATE"}, {`"a,%d"`, "VARCHAR"}}
	var names, want []string
	rows := make([][]string, 20)
	for i := range n {
		k := kinds[i%len(kinds)]
		names, want = append(names, fmt.Sprintf("c%d", i)), append(want, fmt.Sprintf("c%d %s", i, k.typ))
		for r := range rows {
			rows[r] = append(rows[r], fmt.Sprintf(k.value, r+1))
		}
	}
	body := strings.Join(names, ",") + "\n"
	for _, r := range rows {
		body += strings.Join(r, ",") + "\n"
	}
	d := b.Create("wide")
	for range 2 { // new columns, and known ones
		if c := b.Put(d, "append", intake.CSV, body); c.Added != int64(len(rows)) {
			t.Errorf("%d records", c.Added)
		}
	}
	if got := types(b, d); got != strings.Join(want, ", ") {
		t.Errorf("%.300s", got)
	}
	snap, err := b.Snapshot(t.Context(), d, "head")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := b.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var right int64
	ask := "SELECT count(*) FILTER (c0 = day(c3998) AND c3999 = 'a,' || c0 AND c2501 = c0 + 0.5) FROM (" + snap.Table() +
		")"
	if err := conn.Row(t.Context(), ask, &right); err != nil || right != int64(2*len(rows)) {
		t.Errorf("%d records are right: %v", right, err)
	}
	b.DigestAt(d, "head")
	b.Sound()
}

// A restore of records that differ in many columns says in which of them values went, and in which there are new ones.
func TestARestoreOfWideRecordsSaysWhichColumnsItCleared(t *testing.T) {
	const n = 900 // two slices
	b := open(t)
	d := b.Create("wide", "id")
	first := b.JSON(d, "append", wide(n, 0))
	second := b.JSON(d, "upsert", "["+someOf(1, n, 1, func(c int) bool { return c != 3 && c != 850 })+
		`,{"id":2,"c3":null,"c850":null}]`)
	b.effects("upsert", second, []string{"c3", "c850"}, nil)
	for _, one := range []struct {
		ref             catalog.Commit
		cleared, filled []string
	}{{first, nil, []string{"c3", "c850"}}, {second, []string{"c3", "c850"}, nil}} {
		c, err := b.Restore(context.Background(), d, fmt.Sprint(one.ref.ID), storage.Request{})
		if err != nil {
			t.Fatal(err)
		}
		b.effects("restore", c, one.cleared, one.filled)
	}
	b.Sound()
}

// Values of nested types are in several vectors each, so that fewer columns of them go into a statement: a hundred such
// columns are changed and listed in little memory.
func TestColumnsOfNestedTypesInLittleMemory(t *testing.T) {
	b := reopen(t, t.TempDir(), storage.Options{Memory: 1 << 30, Threads: 2})
	const records, columns = 500, 100
	body := func(shift int) string {
		var out strings.Builder
		for id := range records {
			fmt.Fprintf(&out, `,{"id":%d`, id)
			for c := range columns {
				fmt.Fprintf(&out, `,"c%d":{"a":%d,"b":"text %d","l":[%d,%d],"s":[{"x":%d,"y":"t"}]}`, c, id+shift, c, id, c, shift)
			}
			out.WriteByte('}')
		}
		return "[" + out.String()[1:] + "]"
	}
	d := b.Create("nested", "id")
	first := b.JSON(d, "append", body(0))
	if c := b.JSON(d, "overwrite", body(1)); storagetest.Counts(c) != "+0 -0 ~500 =500" {
		t.Errorf("the overwrite did %s", storagetest.Counts(c))
	}
	before, err := b.Snapshot(context.Background(), d, fmt.Sprint(first.ID))
	b.Must(err)
	after, err := b.Snapshot(context.Background(), d, "head")
	b.Must(err)
	conn, err := b.Conn(context.Background())
	b.Must(err)
	defer conn.Close()
	list, err := snapshot.Diff(before, after).List(snapshot.Selection{})
	b.Must(err)
	b.Must(list.Prepare(context.Background(), conn))
	rows := 0
	b.Must(conn.Row(context.Background(), "SELECT count(*) FROM ("+list.SQL+") WHERE before IS NOT NULL", &rows))
	if rows != records {
		t.Errorf("%d records differ", rows)
	}
}
