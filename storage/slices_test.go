package storage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/storagetest"
)

// someOf is record id as JSON, with some of its n columns, each value that of its column plus shift.
func someOf(id, n, shift int, has func(i int) bool) string {
	var out strings.Builder
	fmt.Fprintf(&out, `{"id":%d`, id)
	for i := range n {
		if has(i) {
			fmt.Fprintf(&out, `,"c%d":%d`, i, i+shift)
		}
	}
	return out.String() + "}"
}

// sums returns for each record at a ref its key and the sum of its columns: what is missing or wrong shows in it.
func (b *bench) sums(dataset, ref string, columns int) string {
	b.Helper()
	snap, err := b.Snapshot(context.Background(), dataset, ref)
	if err != nil {
		b.Fatal(err)
	}
	conn, err := b.Conn(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	names := make([]string, columns)
	for i := range names {
		names[i] = fmt.Sprintf("c%d", i)
	}
	var out []string
	err = conn.Rows(context.Background(), "SELECT id, list_sum(["+strings.Join(names,
		", ")+"]) FROM ("+snap.StoredTable()+") ORDER BY id", func(scan duck.Scan) error {
		var id, sum int64
		err := scan(&id, &sum)
		out = append(out, fmt.Sprintf("%d: %d", id, sum))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return strings.Join(out, ", ")
}

// Records of many columns are changed in slices of the columns, and come to what narrow ones do.
func TestWideRecordsAreChangedInSlices(t *testing.T) {
	t.Parallel()
	const n = snapshot.SliceColumns + 2 // columns: two slices
	const all = n * (n - 1) / 2         // the sum of what they hold at first
	every, even := func(int) bool { return true }, func(i int) bool { return i%2 == 0 }
	b := open(t)
	d := b.Create("wide", "id")
	first := b.JSON(d, "append", "["+someOf(1, n, 0, every)+","+someOf(2, n, 0, every)+","+someOf(3, n, 0, every)+"]")
	want := func(dataset, sums string) {
		t.Helper()
		if got := b.sums(dataset, "head", n); got != sums {
			t.Errorf("the records are %s, not %s", got, sums)
		}
	}
	sums := func(shifts ...int) string {
		out := make([]string, len(shifts))
		for i, s := range shifts {
			out[i] = fmt.Sprintf("%d: %d", i+1, all+s)
		}
		return strings.Join(out, ", ")
	}
	f := b.MakeFork(d, "fork", "head")

	c := b.JSON(d, "upsert", "["+someOf(1, n, 1, even)+","+someOf(3, n, 0, every)+","+someOf(4, n, 2, every)+"]")
	if got := storagetest.Counts(c); got != "+1 -0 ~1 =4" {
		t.Errorf("the upsert did %s", got)
	}
	want(d, sums(n/2, 0, 0, 2*n))

	last := fmt.Sprintf(`[{"id":2,"c%d":0}]`, n-1) // differs in the last slice alone
	c = b.JSON(d, "upsert", last)
	want(d, sums(n/2, 1-n, 0, 2*n))
	if _, err := b.TryRollback(d, c.ID, storage.Records); err != nil {
		t.Fatal(err)
	}
	want(d, sums(n/2, 0, 0, 2*n))

	c = b.JSON(d, "overwrite", "["+someOf(2, n, 0, every)+","+someOf(3, n, 3, every)+"]")
	if got := storagetest.Counts(c); got != "+0 -0 ~1 =4" {
		t.Errorf("the overwrite did %s", got)
	}
	b.JSON(d, "delete", `[{"id":4}]`)
	want(d, sums(n/2, 0, 3*n))

	// What the target changed and changed back is as the action found it, but for its place: the records are compared.
	b.JSON(f, "upsert", "["+someOf(1, n, 7, every)+","+someOf(2, n, 0, every)+"]")
	b.JSON(f, "upsert", last)
	b.JSON(f, "delete", `[{"id":2}]`)
	b.JSON(f, "upsert", `[{"id":1,"c0":0}]`)
	b.JSON(f, "upsert", `[{"id":1,"c0":7}]`)
	g := b.MakeFork(f, "target", fmt.Sprint(first.ID))
	b.JSON(g, "upsert", fmt.Sprintf(`[{"id":1,"c%d":0}]`, n-1))
	b.JSON(g, "upsert", fmt.Sprintf(`[{"id":1,"c%d":%d}]`, n-1, n-1))
	b.MakeMerge(f, g)
	want(g, fmt.Sprintf("1: %d, 3: %d", all+7*n, all))

	// A conflict shows whole records.
	_, err := b.Merge(context.Background(), d, storage.Merge{Source: f, Autorollback: true}, storage.Request{})
	e := storage.Explain(err)
	if e == nil || e.Code != "merge_conflict" {
		t.Fatalf("the merge ended in %v", err)
	}
	r := e.Fields["conflicts"].([]storage.MergeConflict)[0].Records[0]
	if string(r.Before) != someOf(1, n, 0, every) || string(r.After) != someOf(1, n, 7, every) ||
		len(r.Now) < len(r.Before) {
		t.Errorf("the conflict shows %.60s, %.60s, %.60s", r.Before, r.After, r.Now)
	}

	now := b.sums(d, "head", n)
	c = b.JSON(d, "replace", "["+someOf(2, n, 0, every)+","+someOf(3, n, 5, every)+","+someOf(5, n, 6, every)+"]")
	if got := storagetest.Counts(c); got != "+1 -1 ~1 =3" {
		t.Errorf("the replace did %s", got)
	}
	want(d, fmt.Sprintf("2: %d, 3: %d, 5: %d", all, all+5*n, all+6*n))
	if _, err := b.TryRollback(d, c.ID, storage.Records); err != nil {
		t.Fatal(err)
	}
	want(d, now)
	b.Sound()
}

// Wide records that are looked up are found in a compacted file as in the files that it stands for.
func TestWideRecordsInACompactedFileAreChanged(t *testing.T) {
	t.Parallel()
	const n, all = 600, 600 * 599 / 2      // columns, and the sum of what they hold at first
	record := func(id, shift int) string { // with a struct, which only a statement compares
		return `{"x":{"a":1},` + someOf(id, n, shift, func(int) bool { return true })[1:]
	}
	b := reopen(t, t.TempDir(), storagetest.Eager)
	d := b.Create("wide", "id")
	for id := 1; id <= 6; id++ {
		b.JSON(d, "append", "["+record(id, 0)+"]")
	}
	b.JSON(d, "overwrite", "["+record(2, 1)+"]")
	b.CompactAll(d)
	snap, err := b.Snapshot(context.Background(), d, "head")
	if err != nil {
		t.Fatal(err)
	}
	parts := snap.DataParts()
	if len(parts) == 0 || parts[0].Compacted == nil {
		t.Fatal("no file was compacted")
	}
	b.JSON(d, "overwrite", "["+record(1, 2)+","+record(2, 3)+","+record(6, 4)+"]")
	want := fmt.Sprintf("1: %d, 2: %d, 3: %d, 4: %d, 5: %d, 6: %d", all+2*n, all+3*n, all, all, all, all+4*n)
	if got := b.sums(d, "head", n); got != want {
		t.Errorf("the records are %s, not %s", got, want)
	}
	b.JSON(d, "delete", `[{"id":3},{"id":4},{"id":5}]`)
	if got, want := b.sums(d, "head", n), fmt.Sprintf("1: %d, 2: %d, 6: %d", all+2*n, all+3*n, all+4*n); got != want {
		t.Errorf("the records are %s, not %s", got, want)
	}
	b.Sound()
}
