package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/bucket/buckettest"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/catalog/postgrestest"
	"github.com/rowback/rowback/storage/storagetest"
)

// inBoth are options of a store with its catalog in PostgreSQL and its objects in a bucket.
func inBoth(server *postgrestest.Server, database string, wire *buckettest.Wire) storage.Options {
	o := inBucket("p", wire)
	o.Catalog = server.URL(database, "")
	return o
}

// toured has a store do all that changes objects, and checks it.
func toured(t *testing.T, b *bench) (d string) {
	t.Helper()
	d = b.Create("d", "id")
	for n := range 12 {
		b.JSON(d, catalog.Append, fmt.Sprintf(`[{"id":%d,"x":"a%d"}]`, n, n))
	}
	second := b.JSON(d, catalog.Upsert, `[{"id":1,"x":"B"}]`)
	_, err := b.TryRollback(d, second.ID, storage.Stack)
	b.Must(err)
	b.MakeSavepoint(d, storage.NewSavepoint{Description: "kept"}, true)
	fork := b.MakeFork(d, "f", "head")
	b.JSON(fork, catalog.Overwrite, `[{"id":2,"x":"of the fork"}]`)
	b.MakeMerge(fork, d)
	_, err = b.Increment(t.Context(), d, storagetest.Forced("minor", "named"), storage.Request{})
	b.Must(err)
	b.EraseKeys(d, "3")
	b.Keeps(d, 3)
	b.VacuumAll(d)
	b.CompactAll(d)
	b.Sound()
	return d
}

// A store with its catalog in PostgreSQL and its objects in a bucket does all that one in a directory does. Its data
// directory has neither, so any other one goes on with it; so does a catalog that is made anew.
func TestPostgreSQLAndABucket(t *testing.T) {
	server := postgrestest.Start(t)
	buckettest.Start(t)
	o := inBoth(server, "postgres", nil)
	o.Backups = t.TempDir()
	b := reopen(t, t.TempDir(), o)
	d := toured(t, b)
	made := b.backUp(o.Backups)
	told, first := b.Told(), b.ClosedDir()
	found, err := storage.Inspect(t.Context(), first, true, o)
	if err != nil || len(found.Problems)+len(found.Forward) > 0 {
		t.Errorf("check: %+v, %v", found, err)
	}
	if got := restored(t, o.Backups).Told(); got != told {
		t.Errorf("backup %s has\n%s\nwant\n%s", made.ID, got, told)
	}
	server.Create(t, "anew")
	for n, place := range []struct{ what, dir, database string }{
		{"an empty directory", t.TempDir(), "postgres"},
		{"the first directory with an empty catalog", first, "anew"},
		{"an older catalog", first, "postgres"},
	} {
		o.Catalog = server.URL(place.database, "")
		b := reopen(t, place.dir, o)
		if got := b.Told(); got != told {
			t.Errorf("%s shows\n%s\nwant\n%s", place.what, got, told)
		}
		b.JSON(d, catalog.Append, fmt.Sprintf(`[{"id":%d,"x":"more"}]`, 100+n))
		told = b.Told()
		if n == 2 {
			b.Sound()
		}
		b.ClosedDir()
	}
}

// What is missing or damaged in a bucket is put back there: of a store that is closed, and by the server that has it.
func TestRepairIntoABucket(t *testing.T) {
	s := buckettest.Start(t)
	o := inBucket("p", nil)
	o.Backups = t.TempDir()
	b := reopen(t, t.TempDir(), o)
	d := b.Create("d", "id")
	one, two := b.JSON(d, catalog.Append, `[{"id":1}]`), b.JSON(d, catalog.Append, `[{"id":2}]`)
	_, err := b.CreateTag(t.Context(), d, storage.NewTag{Name: "t"}, storage.Request{})
	b.Must(err)
	_, err = b.Copies.Make(t.Context(), storage.NewStoreBackup{}, storage.Request{})
	b.Must(err)
	want := b.Told()
	dir := b.ClosedDir()
	objects := filepath.Join(s.Dir, "store", "p", "objects", d)
	spoil(t, filepath.Join(objects, fmt.Sprint(one.ID), "data-0000.parquet"))
	storagetest.Must(t, os.Remove(filepath.Join(objects, fmt.Sprint(two.ID), "commit.json")))
	for _, apply := range []bool{false, true} {
		found, err := storage.RepairStore(t.Context(),
			storage.RepairPlan{Dir: dir, Backups: []string{o.Backups}, Apply: apply}, storage.Options{})
		if err != nil || len(found) != 2 || found[0].Done != apply || found[1].Done != apply {
			t.Errorf("apply %t: %+v, %v", apply, found, err)
		}
	}
	b = reopen(t, dir, o)
	if got := b.Told(); got != want {
		t.Errorf("it has\n%s\nwant\n%s", got, want)
	}
	storagetest.Must(t, os.Remove(filepath.Join(objects, fmt.Sprint(two.ID), "data-0000.parquet")))
	b.Must(b.Scrubs.Run(t.Context(), storage.ScrubPlan{}))
	found, err := b.RepairDamaged(t.Context(), true)
	if err != nil || len(found) != 1 || !found[0].Done {
		t.Errorf("running: %+v, %v", found, err)
	}
	b.Sound()
}

// A prefix within another store's, around one, or with other things below it can't become a store's.
func TestPrefixesOfStoresAreApart(t *testing.T) {
	s := buckettest.Start(t)
	reopen(t, t.TempDir(), inBucket("a/b", nil)).ClosedDir()
	other, _ := s.Open(t, "")
	storagetest.Must(t, other.Put(t.Context(), "photos/one.jpg", []byte("x")))
	for prefix, says := range map[string]string{
		"a/b/objects":     "is within the store in s3://store/a/b",
		"a/b/objects/d/1": "is within the store in s3://store/a/b",
		"a":               "is not a store's",
		"":                "is not a store's",
		"photos":          "is not a store's",
	} {
		_, err := storage.Open(t.Context(), t.TempDir(), inBucket(prefix, nil))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", prefix, err)
		}
	}
	for _, prefix := range []string{"a/c", "a/b2"} {
		reopen(t, t.TempDir(), inBucket(prefix, nil)).ClosedDir()
	}
}
