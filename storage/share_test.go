package storage_test

import (
	"context"
	"maps"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/snapshot"
)

// Whether scores are shares depends on the live records alone, whether their files were measured for the column or are
// read.
func TestScoresAreSharesByTheLiveRecords(t *testing.T) {
	for _, of := range []struct {
		name, records, then string
		mode                catalog.Mode
		share               bool
	}{
		{"corrected", `[{"id":1,"q":5},{"id":2,"q":1}]`, `[{"id":1,"q":0.5}]`, catalog.Upsert, true},
		{"removed", `[{"id":1,"q":-1},{"id":2,"q":1}]`, `[{"id":1}]`, catalog.Delete, true},
		{"one corrected", `[{"id":1,"q":5},{"id":2,"q":7}]`, `[{"id":1,"q":0.5}]`, catalog.Upsert, false},
		{"broken", `[{"id":1,"q":0},{"id":2,"q":1}]`, `[{"id":1,"q":2}]`, catalog.Upsert, false},
		{"mended", `[{"id":1,"q":0}]`, `[{"id":2,"q":1}]`, catalog.Append, true},
	} {
		t.Run(of.name, func(t *testing.T) {
			b := open(t)
			d := b.Create("items", "id")
			q := "q"
			if _, err := b.EditDataset(context.Background(), d, storage.Edit{QualityColumn: &q}, storage.Request{}); err != nil {
				t.Fatal(err)
			}
			b.JSON(d, catalog.Append, of.records)
			b.JSON(d, of.mode, of.then)
			measured, read := b.quality(d)
			if measured.IsShare != of.share || measured != read {
				t.Errorf("measured %+v, read %+v; want a share: %v", measured, read, of.share)
			}
		})
	}
}

// quality is that of the head, by the statistics of the files and by reading the records.
func (b *bench) quality(d string) (measured, read snapshot.Quality) {
	b.Helper()
	ctx := context.Background()
	s, err := b.Snapshot(ctx, d, "head")
	if err != nil {
		b.Fatal(err)
	}
	conn, err := b.Conn(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	ask := func(s *snapshot.Snapshot) snapshot.Quality {
		q, ok, err := s.Quality(ctx, conn)
		if !ok || err != nil {
			b.Fatalf("%v, %v", ok, err)
		}
		return q
	}
	bare := *s
	bare.Data, bare.Rollbacks = unmeasured(s.Data), unmeasured(s.Rollbacks)
	return ask(s), ask(&bare)
}

// unmeasured are files without their statistics.
func unmeasured(files []*catalog.File) (out []*catalog.File) {
	for _, f := range files {
		other := *f
		other.Stats = nil
		out = append(out, &other)
	}
	return out
}

// Scores and categories of records that were displaced while their column was gone are taken off too.
func TestFiguresOfRecordsThatWereDisplacedWhileTheirColumnWasGone(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d := b.Create("items", "id")
	b.JSON(d, catalog.Append, `[{"id":1,"quality_score":1,"category":"a"},{"id":2,"quality_score":100,"category":"b"},
		{"id":3,"quality_score":3,"category":"a"}]`)
	var drops []catalog.Commit
	for _, name := range []string{"category", "quality_score"} {
		drop, err := b.DropVariable(ctx, d, b.ColumnID(d, name), storage.Request{})
		b.Must(err)
		drops = append(drops, drop)
	}
	b.JSON(d, catalog.Delete, `[{"id":2}]`)
	for _, drop := range drops {
		_, err := b.TryRollback(d, drop.ID, storage.Records)
		b.Must(err)
	}
	s, err := b.Snapshot(ctx, d, "head")
	b.Must(err)
	conn, err := b.Conn(ctx)
	b.Must(err)
	defer conn.Close()
	quality, _, err := s.Quality(ctx, conn)
	b.Must(err)
	categories, _, err := s.Categories(ctx, conn)
	b.Must(err)
	each, err := s.CategoryQuality(ctx, conn)
	b.Must(err)
	if quality.Average != 2 || !maps.Equal(categories, map[string]int64{"a": 2}) ||
		!maps.Equal(each, map[string]float64{"a": 2}) {
		t.Errorf("the average is %v, the categories are %v and their averages %v", quality.Average, categories, each)
	}
	// The record that the difference has on the side before has its values too: the rollback file has none of them.
	first, err := b.Snapshot(ctx, d, "1")
	b.Must(err)
	difference := snapshot.Diff(first, s)
	if files := difference.Files(); len(files) != 2 || difference.Empty() {
		t.Errorf("the difference is of %d files", len(files))
	}
	listing, err := difference.List(snapshot.Selection{})
	b.Must(err)
	b.Must(listing.Prepare(ctx, conn))
	rows := 0
	b.Must(conn.Rows(ctx, "SELECT _change, before::VARCHAR FROM ("+listing.SQL+")", func(scan duck.Scan) error {
		var change, before string
		err := scan(&change, &before)
		if rows++; change != snapshot.Removed || before != "{'id': 2, 'category': b, 'quality_score': 100}" {
			t.Errorf("%s %s", change, before)
		}
		return err
	}))
	if rows != 1 {
		t.Errorf("the difference has %d records", rows)
	}
}
