package storage_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/storagetest"
)

// plainWide is a dataset of few records with many columns of every plain type, in files that lack some of them, and
// the refs of its commits.
func (b *bench) plainWide(name string, key ...string) (dataset string, refs []string) {
	b.Helper()
	d := b.Create(name, key...)
	refs = []string{"0"}
	for _, c := range []struct {
		mode           catalog.Mode
		from, to, wide int
	}{
		{catalog.Append, 0, 20, 120}, {catalog.Append, 20, 40, 130}, {catalog.Upsert, 10, 30, 110},
		{catalog.Overwrite, 5, 15, 130}, {catalog.Delete, 3, 8, 0},
	} {
		if len(key) == 0 && c.mode != catalog.Append {
			continue
		}
		one, err := b.Generated(d, c.mode, plainRecords(c.from, c.to, c.wide, len(refs)))
		b.Must(err)
		refs = append(refs, fmt.Sprint(one.ID))
	}
	b.rename(d, "c7", "Renamed")
	return d, append(refs, "head")
}

// Few records of many columns of every plain type are read without statements, and are what one statement reads: the
// same records in the same order, of the same types, in every format.
func TestFewWideRecordsAreWantedAsByOneStatement(t *testing.T) {
	t.Parallel()
	b := reopen(t, t.TempDir(), storagetest.Eager)
	keyed, _ := b.plainWide("keyed", "id")
	unkeyed, _ := b.plainWide("unkeyed")
	ten := int64(10)
	b.sameHere(unkeyed, func(w *storage.Wanted) { w.Order = "" })
	b.sameHere(unkeyed, func(w *storage.Wanted) { w.Where, w.Offset = "id % 3 = 1", 1 })
	b.sameHere(keyed, func(*storage.Wanted) {})
	b.sameHere(keyed, func(w *storage.Wanted) {
		w.Order, w.By, w.Limit = ` ORDER BY "c5" DESC, "id"`, w.Columns[6:7], &ten
		w.Columns = slices.Clone(w.Columns[:len(w.Columns)-1])
		slices.Reverse(w.Columns)
	})
	b.CompactAll(keyed)
	b.sameHere(keyed, func(w *storage.Wanted) { w.Where = "false" })
	b.sameHere(keyed, func(*storage.Wanted) {})
}

// sameHere compares what is wanted of the head in every format with what one statement reads.
func (b *bench) sameHere(dataset string, change func(*storage.Wanted)) {
	b.Helper()
	snap, err := b.Snapshot(context.Background(), dataset, "head")
	b.Must(err)
	w := storage.Wanted{Snapshot: snap, Columns: snap.TableColumns(), Order: snap.ByKey()}
	change(&w)
	for _, format := range []intake.Format{intake.JSON, intake.NDJSON, intake.CSV, intake.Arrow, intake.Parquet} {
		whole, q := b.wanted(w.ByStatements(), format)
		if q.Result != nil || len(q.Slices) > 0 {
			b.Fatal("the whole is not read by one statement")
		}
		got, q := b.wanted(w, format)
		if q.Result == nil || len(q.Slices) < 2 {
			b.Fatal("a statement reads what can be read without")
		}
		if got != whole {
			b.Errorf("%s of %q%s: read without statements\n%s\nby one\n%s", format, w.Where, w.Order, got, whole)
		}
	}
}

// Columns of other types, and records of which few are wanted, are read by statements.
func TestWhatIsWantedByStatements(t *testing.T) {
	b := open(t)
	d := b.Create("wide", "id")
	b.JSON(d, "append", "["+someOf(1, 120, 0, func(int) bool { return true })+"]")
	for id := 2; id < 10; id++ {
		b.JSON(d, "append", fmt.Sprintf(`[{"id":%d,"list":[1]}]`, id))
	}
	snap, err := b.Snapshot(context.Background(), d, "head")
	b.Must(err)
	one, plain := int64(1), slices.DeleteFunc(snap.TableColumns(), func(c schema.Column) bool { return c.Type.Nested() })
	for _, c := range []struct {
		storage.Wanted
		here bool
	}{
		{storage.Wanted{Columns: plain}, true}, {storage.Wanted{Columns: plain[:90]}, false},
		{storage.Wanted{Columns: snap.TableColumns()}, false}, {storage.Wanted{Columns: plain, Limit: &one}, false},
		{storage.Wanted{Columns: plain, Offset: 8}, false},
	} {
		c.Snapshot = snap
		conn, q, err := b.OpenRecords(context.Background(), c.Wanted, nil)
		b.Must(err)
		conn.Close()
		if here := q.Result != nil; here != c.here {
			t.Errorf("%d columns, limit %v, offset %d: read without statements: %t", len(c.Columns), c.Limit, c.Offset, here)
		}
	}
}

// A difference of few records of many columns of every plain type is listed without statements, and is what statements
// list: all of it, some kinds of changes, those in a column, and pages.
func TestFewWideDifferencesAreListedAsByStatements(t *testing.T) {
	t.Parallel()
	b := reopen(t, t.TempDir(), storagetest.Eager)
	d, refs := b.plainWide("wide", "id")
	for i, from := range refs[:len(refs)-1] {
		b.sameDifference(d, from, refs[i+1], snapshot.Selection{})
		b.sameDifference(d, "head", from, snapshot.Selection{})
	}
	seven := int64(7)
	for _, s := range []snapshot.Selection{
		{Changes: []string{snapshot.Removed, snapshot.Added}}, {Columns: []string{"c5", "renamed"}},
		{Limit: &seven, Offset: 4}, {Offset: 1000}, {Changes: []string{snapshot.Modified}, Limit: new(int64)},
	} {
		b.sameDifference(d, refs[2], "head", s)
	}
	b.CompactAll(d)
	b.sameDifference(d, refs[1], refs[4], snapshot.Selection{})
	before, err := b.Snapshot(context.Background(), d, "0")
	b.Must(err)
	_, err = snapshot.Diff(before, before).ListHere(context.Background(), snapshot.Selection{Columns: []string{"none"}})
	if e := storage.Explain(err); e == nil || e.Code != "unknown_column" {
		t.Errorf("an unknown column: %v", err)
	}
}

// sameDifference compares a part of a difference with what statements list.
func (b *bench) sameDifference(dataset, from, to string, s snapshot.Selection) {
	b.Helper()
	ctx := context.Background()
	before, err := b.Snapshot(ctx, dataset, from)
	b.Must(err)
	after, err := b.Snapshot(ctx, dataset, to)
	b.Must(err)
	diff := snapshot.Diff(before, after)
	if diff.Empty() {
		return
	}
	list, err := diff.List(s)
	b.Must(err)
	rows, err := diff.ListHere(ctx, s)
	b.Must(err)
	if rows == nil {
		b.Fatalf("from %s to %s a statement lists the changes", from, to)
	}
	defer rows.Release()
	conn, err := b.Conn(ctx)
	b.Must(err)
	defer conn.Close()
	b.Must(list.Prepare(ctx, conn))
	for _, format := range []intake.Format{intake.Arrow, intake.NDJSON} {
		var got, want bytes.Buffer
		_, err = output.Write(ctx, conn, output.Query{SQL: list.SQL, Columns: list.Columns}, format, &want, "")
		b.Must(err)
		_, err = output.Write(ctx, conn, output.Of(rows, list.Columns, 0), format, &got, "")
		b.Must(err)
		a, z := got.String(), want.String()
		if format == intake.Arrow {
			a, z = arrowText(b, got.Bytes()), arrowText(b, want.Bytes())
		}
		if a != z {
			b.Errorf("%s from %s to %s of %+v:\n%s\nby statements\n%s", format, from, to, s, a, z)
		}
	}
}
