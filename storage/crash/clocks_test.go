package crash

import (
	"fmt"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/bucket/buckettest"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/catalog/postgrestest"
	"github.com/rowback/rowback/storage/storagetest"
)

// The clocks of servers are hours apart. What each does stands in the order in which it was done: commits have times in
// that order, labels are what was said last, and a catalog that is made anew from the objects has the same.
func TestServersWhoseClocksDiffer(t *testing.T) {
	server := postgrestest.Start(t)
	buckettest.Start(t)
	var all []*bench
	for _, by := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		o := inBoth(server, "postgres", nil)
		o.Now = func() time.Time { return time.Now().Add(by) }
		all = append(all, reopen(t, t.TempDir(), o))
	}
	d := all[0].Create("d", "id")
	gone := all[0].Create("gone")
	var last catalog.Commit
	for n := range 6 {
		b := all[n%2]
		made := b.JSON(d, catalog.Upsert, fmt.Sprintf(`[{"id":%d,"x":"a%d"},{"id":9,"x":"b%d"}]`, n, n, n))
		if !made.CreatedAt.After(last.CreatedAt) || made.Previous != last.ID {
			t.Errorf("commit %d of %s follows on %d of %s", made.ID, made.CreatedAt, last.ID, last.CreatedAt)
		}
		last = made
		ref, r := "head", storage.Request{}
		var err error
		if n == 0 {
			_, err = b.CreateTag(t.Context(), d, storage.NewTag{Name: "moved"}, r)
		} else {
			_, err = b.MoveTag(t.Context(), d, "moved", storage.TagEdit{Ref: &ref}, r)
		}
		b.Must(err)
		_, err = b.Increment(t.Context(), d, storagetest.Forced("patch", fmt.Sprint("number ", n)), r)
		b.Must(err)
		if n%2 == 0 {
			b.Must(b.DeleteDataset(t.Context(), gone, r))
		} else {
			_, err = b.UndeleteDataset(t.Context(), gone, r)
			b.Must(err)
		}
		if mine, others := b.Told(), all[1-n%2].Told(); mine != others {
			t.Errorf("round %d: one shows\n%s\nand the other\n%s", n, mine, others)
		}
	}
	tag, err := all[0].Tags(t.Context(), d)
	if err != nil || len(tag) != 1 || tag[0].CommitID != last.ID {
		t.Errorf("the tag is %+v, %v, not at %d", tag, err, last.ID)
	}
	want := all[0].Told()
	for _, b := range all {
		b.Sound()
		b.ClosedDir()
	}
	server.Create(t, "anew")
	if got := reopen(t, t.TempDir(), inBoth(server, "anew", nil)).Told(); got != want {
		t.Errorf("with the catalog lost it shows\n%s\nwant\n%s", got, want)
	}
}
