package storage_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/bucket/buckettest"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/catalog/postgrestest"
	"github.com/rowback/rowback/storage/datadir"
	"github.com/rowback/rowback/storage/intake"
)

// A commit on one of another server reads of the catalog and the bucket what that one changed, however many the dataset
// has, and although other datasets have had thousands since. It was tried with a thousand, too.
func TestWhatAnotherServerCommittedIsReadByItself(t *testing.T) {
	buckettest.Start(t)
	server := postgrestest.Start(t)
	asked, address := countAsked(t, server.Address())
	wire := &buckettest.Wire{}
	o := storage.Options{
		Catalog: server.URL("postgres", ""),
		Objects: &storage.ObjectStore{Objects: datadir.Objects{URL: "s3://store/others"}},
	}
	other := reopen(t, t.TempDir(), o)
	o.Catalog = strings.Replace(o.Catalog, server.Address(), address, 1)
	objects := *o.Objects
	objects.Client = func(o *bucket.Options) { o.Transport = wire }
	o.Objects = &objects
	mine := &counted{bench: reopen(t, t.TempDir(), o), asked: asked, wire: wire}
	far := func() { skipCommitIDs(t, server.URL("postgres", ""), 5000) }
	took := map[int][]trips{}
	for _, length := range []int{10, 200} {
		d := other.Create(fmt.Sprint("of ", length))
		other.lengthen(d, length)
		mine.see(d, length) // all of it, for the first time
		for n, before := range []func(){func() {}, func() {}, far} {
			before()
			other.lengthen(d, 1)
			took[length] = append(took[length], mine.count(func() error { mine.lengthen(d, 1); return nil }))
			mine.see(d, length+2*(n+1))
		}
	}
	t.Logf("after ten commits %+v, after 200 %+v", took[10], took[200])
	for n, few := range took[10][1:] {
		if many := took[200][n+1]; !few.isAs(many) || apart(few.bytes, many.bytes) > 1000 {
			t.Errorf("after ten commits %+v, after 200 %+v", few, many)
		}
	}
}

// see fails the test unless a dataset has so many records at its head.
func (b *bench) see(d string, want int) {
	b.Helper()
	s, err := b.Snapshot(b.Context(), d, "head")
	if err != nil || s.Total() != int64(want) || len(s.Data) != want {
		b.Fatalf("%d records, want %d: %v", s.Total(), want, err)
	}
}

// lengthen makes commits of one record, many at once.
func (b *bench) lengthen(d string, commits int) {
	b.Helper()
	upload := b.Upload(intake.JSON, `[{"a":1}]`)
	var all sync.WaitGroup
	errs := make([]error, commits)
	for i := range commits {
		all.Go(func() {
			_, errs[i] = b.Commit(b.Context(), d, storage.Change{Mode: catalog.Append, Upload: upload})
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			b.Fatal(err)
		}
	}
}

// skipCommitIDs has the next commit of any dataset have an id that is greater by n.
func skipCommitIDs(t *testing.T, database string, n int) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "SELECT setval('drawn_commit', nextval('drawn_commit') + $1)", n); err != nil {
		t.Fatal(err)
	}
}

// What several servers, whose clocks are hours apart, say of the same store.
func TestServersWithOtherClocks(t *testing.T) {
	buckettest.Start(t)
	o := storage.Options{
		Catalog: postgrestest.Start(t).URL("postgres", ""),
		Objects: &storage.ObjectStore{Objects: datadir.Objects{URL: "s3://store/forks"}},
		Backups: t.TempDir(),
	}
	var benches []*bench
	for _, skew := range []time.Duration{time.Hour, 0, -time.Hour} {
		now, n := func() time.Time { return time.Now().Add(skew) }, 0
		o.Now = now
		o.NewID = func() string { n++; return fmt.Sprintf("%012x%020x", now().UnixMilli(), n) }
		benches = append(benches, reopen(t, t.TempDir(), o))
	}
	t.Run("forks", func(t *testing.T) { forksAsTheyWereMade(t, benches) })
	t.Run("backups", func(t *testing.T) { backupsOfOne(t, benches) })
}

// forksAsTheyWereMade fails the test unless forks are listed in the order in which they were made.
func forksAsTheyWereMade(t *testing.T, benches []*bench) {
	d := benches[0].Create("up")
	var want []string
	for n := range 6 {
		want = append(want, fmt.Sprint("fork ", n))
		benches[n%len(benches)].MakeFork(d, want[n], "head")
	}
	for _, b := range benches {
		list, err := b.Forks(b.Context(), d)
		var got []string
		for _, f := range list {
			got = append(got, f.Dataset.Name)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v, want %v: %v", got, want, err)
		}
	}
}

// backupsOfOne fails the test unless the server that makes the backups that are due is the only one to know of them.
func backupsOfOne(t *testing.T, benches []*bench) {
	one, other := benches[1].Copies, benches[2].Copies
	if one.State().Keeps {
		t.Error("it has not begun")
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { one.Keep(ctx, storage.BackupPlan{Every: 24 * time.Hour, Keep: 1}) })
	for end := time.Now().Add(time.Minute); one.State().Last.ID == "" && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if s := one.State(); !s.Keeps || s.Last.ID == "" {
		t.Errorf("it makes them: %+v", s)
	}
	if other.State().Keeps {
		t.Error("another one makes them, too")
	}
	cancel()
	running.Wait()
	if one.State().Keeps {
		t.Error("it has ended")
	}
}
