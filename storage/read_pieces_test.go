package storage_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/storagetest"
)

// plainTypes are the types of columns that are read without statements, each with a value made of a number n.
var plainTypes = [][2]string{
	{"BOOLEAN", "$n % 2 = 0"}, {"TINYINT", "$n - 50"}, {"UTINYINT", "$n + 100"}, {"SMALLINT", "$n * 300 - 9000"},
	{"USMALLINT", "$n * 600"}, {"INTEGER", "$n * 20000000 - 1000000000"}, {"UINTEGER", "$n * 40000000"},
	{"BIGINT", "$n * 90000000000000000 - 4000000000000000000"}, {"UBIGINT", "$n * 180000000000000000"},
	{"FLOAT", "$n / 8.0 - 3"}, {"DOUBLE", "$n / 3.0 - 20"}, {"DECIMAL(9, 2)", "$n / 4.0 - 11"},
	{"DECIMAL(18, 4)", "$n * 1000003 / 16.0"}, {"DECIMAL(30, 3)", "$n * 10000000000000000000 - 7.125"},
	{"VARCHAR", "CASE $n % 9 WHEN 0 THEN '' ELSE 'é ' || $n END"}, {"DATE", "DATE '1960-01-01' + ($n * 300)::INTEGER"},
	{"TIMESTAMP", "TIMESTAMP '1960-01-01' + to_microseconds($n::BIGINT * 12345678901234)"},
	{"TIMESTAMPTZ", "make_timestamptz($n::BIGINT * 12345678901234 - 400000000000000)"},
}

// plainRecords is the SQL of records with many columns of plain types, a quarter of whose values are null.
func plainRecords(from, to, columns, seed int) string {
	list := []string{"i AS id"}
	for c := range columns {
		t := plainTypes[c%len(plainTypes)]
		n := fmt.Sprintf("(hash(i, %d, %d) %% 100)::HUGEINT", c, seed)
		value := fmt.Sprintf("CASE WHEN $n %% 4 > 0 THEN CAST(%s AS %s) END AS c%d", t[1], t[0], c)
		list = append(list, strings.ReplaceAll(value, "$n", n))
	}
	return fmt.Sprintf("SELECT %s FROM range(%d, %d) r(i)", strings.Join(list, ", "), from, to)
}

// Few records of many columns of every plain type are compared and digested by what is read of them without statements:
// in files that lack columns, where rows are displaced, and in compacted files. Counts are those that the commits made,
// whichever way the states are compared, and digests those of the records that a statement reads (Sound).
func TestFewWideRecordsAreComparedAsTheyWereChanged(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := reopen(t, t.TempDir(), storagetest.Eager)
	d := b.Create("wide", "id")
	conn, err := b.Conn(ctx)
	b.Must(err)
	defer conn.Close()
	count := func(from, to string) snapshot.Counts {
		t.Helper()
		before, err := b.Snapshot(ctx, d, from)
		b.Must(err)
		after, err := b.Snapshot(ctx, d, to)
		b.Must(err)
		c, err := snapshot.Diff(before, after).Count(ctx, conn)
		b.Must(err)
		if _, _, here := c.Noted(); !here {
			t.Errorf("from %s to %s a statement compares", from, to)
		}
		return c
	}
	refs := []string{"0"}
	compare := func(to string, want catalog.Commit) {
		t.Helper()
		from := refs[len(refs)-1]
		c, back := count(from, to), count(to, from)
		if c.Added != want.Added || c.Removed != want.Removed || c.Modified != want.Modified ||
			back.Added != c.Removed || back.Removed != c.Added || !reflect.DeepEqual(back.Columns, c.Columns) {
			t.Errorf("from %s to %s: %+v, back %+v; the commit did %s", from, to, c, back, storagetest.Counts(want))
		}
	}
	var made []catalog.Commit
	for _, c := range []struct {
		mode           catalog.Mode
		from, to, wide int
	}{
		{catalog.Append, 0, 20, 120}, {catalog.Append, 20, 40, 130}, {catalog.Upsert, 10, 30, 110},
		{catalog.Overwrite, 5, 15, 130}, {catalog.Delete, 3, 8, 0},
	} {
		one, err := b.Generated(d, c.mode, plainRecords(c.from, c.to, c.wide, len(refs)))
		b.Must(err)
		to := fmt.Sprint(one.ID)
		compare(to, one)
		made, refs = append(made, one), append(refs, to)
		b.DigestAt(d, to)
	}
	b.CompactAll(d)
	snap, err := b.Snapshot(ctx, d, "head")
	b.Must(err)
	if !slices.ContainsFunc(snap.DataParts(), func(p snapshot.Part) bool { return p.Compacted != nil }) {
		t.Fatal("no file was compacted")
	}
	refs = refs[:1]
	for _, one := range made {
		compare(fmt.Sprint(one.ID), one)
		refs = append(refs, fmt.Sprint(one.ID))
	}
	b.Sound()
}

// Records of more than a slice of columns that come as a table change the live ones, whether these were looked up or not;
// a restore counts what differs, and a digest has what is left.
func TestFewWideRecordsAreChangedFromATable(t *testing.T) {
	t.Parallel()
	const n = snapshot.SliceColumns + 20
	columns, b, model := seq(n), open(t), wideModel{}
	d := b.Create("wide", "id")
	put := func(mode catalog.Mode, from, to int, some []int, shift int, counts string) catalog.Commit {
		t.Helper()
		text := model.set(from, to, some, func(id, column int) int { return id*column + shift }, mode != catalog.Upsert)
		c := b.Put(d, mode, intake.CSV, text)
		if got := storagetest.Counts(c); got != counts {
			t.Errorf("the %s did %s, not %s", mode, got, counts)
		}
		model.equals(b, d, n)
		return c
	}
	first := put(catalog.Append, 0, 40, columns, 0, "+40 -0 ~0 =40")
	put(catalog.Upsert, 30, 60, columns, 0, "+20 -0 ~0 =60")
	put(catalog.Upsert, 5, 10, columns[3:], 1, "+0 -0 ~5 =60")
	put(catalog.Overwrite, 0, 30, columns, 2, "+0 -0 ~30 =60")
	for id := range model {
		if id < 20 || id >= 50 {
			delete(model, id)
		}
	}
	put(catalog.Replace, 20, 50, columns, 3, "+0 -30 ~30 =30")
	restored, err := b.Restore(context.Background(), d, fmt.Sprint(first.ID), storage.Request{})
	b.Must(err)
	if got := storagetest.Counts(restored); got != "+20 -10 ~20 =40" {
		t.Errorf("the restore did %s", got)
	}
	model = wideModel{}
	model.set(0, 40, columns, func(id, column int) int { return id * column }, true)
	model.equals(b, d, n)
	b.DigestAt(d, "head")
	b.Sound()
}
