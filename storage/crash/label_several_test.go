package crash

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/bucket/buckettest"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/catalog/postgrestest"
	"github.com/rowback/rowback/storage/storagetest"
)

// labelActs are acts that write a label.
var labelActs = []string{
	"version", "savepoint", "savepoint description", "tag", "tag moved", "tag removed", "proposal",
	"proposal commented on", "comparison commented on", "undelete dataset", "create", "delete dataset",
}

// sharedWorld is a store of several servers with labels of every kind.
func sharedWorld(b *bench) (w world) {
	ctx := context.Background()
	w.d, w.f = pairApart(b)
	_, err := b.Increment(ctx, w.d, storagetest.Forced("major", "first"), storage.Request{})
	b.Must(err)
	w.commit = b.JSON(w.d, catalog.Upsert, `[{"id":50,"x":"new"}]`).ID
	_, err = b.CreateSavepoint(ctx, w.d, storage.NewSavepoint{Description: "kept"}, storage.Request{})
	b.Must(err)
	_, err = b.CreateTag(ctx, w.d, storage.NewTag{Name: "kept"}, storage.Request{})
	b.Must(err)
	_, err = b.OpenProposal(ctx, w.d, storage.NewProposal{Source: w.f, Title: "kept"}, storage.Request{})
	b.Must(err)
	w.gone = b.Create("gone")
	b.Must(b.DeleteDataset(ctx, w.gone, storage.Request{}))
	b.JSON(w.d, catalog.Append, `[{"id":60,"x":"last"}]`)
	return w
}

// A server dies at each step between writing a label and recording it, whatever kind of label that is, and others go
// on. What was not recorded does not come back: not at the next first start, nor where the catalog is lost after that.
func TestLabelsOfServersThatDied(t *testing.T) {
	server := postgrestest.Start(t)
	buckettest.Start(t)
	o := inBoth(server, "postgres", nil)
	b := reopen(t, t.TempDir(), o)
	w := sharedWorld(b)
	puts, names := 0, labelActs
	if os.Getenv("ROWBACK_EVERY") != "1" { // some, and always those whose label stands for a dataset
		names = slices.Clone(labelActs[:len(labelActs)-3])
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		names = append(names[:2], "create", "delete dataset")
		t.Logf("with %v", names)
	}
	for n, name := range names {
		recorded := false
		for step := 0; !recorded; step++ {
			before := b.Told()
			s := &storagetest.Stops{Left: step}
			dying := o
			dying.Hook = s.Hook
			a := reopen(t, t.TempDir(), dying)
			s.Armed = true
			err := acts[name](context.Background(), a, w)
			if a.Store.Close(); !s.Crashed || err == nil {
				t.Fatalf("%s, step %d: %v", name, step, err)
			}
			now := b.Told()
			if recorded = now != before; recorded && storage.Explain(err).Code != "outcome_unknown" {
				t.Errorf("%s, step %d: it stands, and was answered with %v", name, step, err)
			}
			b.JSON(w.d, catalog.Upsert, fmt.Sprintf(`[{"id":%d,"x":"others"}]`, 100*n+step))
			if step != 1 { // the label was put, and not recorded
				continue
			}
			puts++
			want := b.Told()
			b = reopen(t, b.ClosedDir(), o)
			if got := b.Told(); got != want {
				t.Errorf("%s: the first start shows\n%s\nwant\n%s", name, got, want)
			}
		}
	}
	if puts != len(names) {
		t.Errorf("%d of %d labels were put and not recorded", puts, len(names))
	}
	b.Sound()
	want := b.Told()
	b.ClosedDir()
	server.Create(t, "anew")
	if got := reopen(t, t.TempDir(), inBoth(server, "anew", nil)).Told(); got != want {
		t.Errorf("with the catalog lost it shows\n%s\nwant\n%s", got, want)
	}
}

// What a server did not record when it died is taken back by the others, without a start, and before anyone writes the
// next label.
func TestOthersTakeBackLabels(t *testing.T) {
	server, objects := postgrestest.Start(t), buckettest.Start(t)
	o := inBoth(server, "postgres", nil)
	b := reopen(t, t.TempDir(), o)
	w := sharedWorld(b)
	db, err := sql.Open("pgx", server.URL("postgres", ""))
	b.Must(err)
	defer db.Close()
	label := func() string {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(objects.Dir, "store", "p", "objects", w.d, "labels", "tag-*.json"))
		if err != nil || len(names) != 1 {
			t.Fatalf("the labels of tags are %v, %v", names, err)
		}
		text, err := os.ReadFile(names[0])
		b.Must(err)
		return string(text)
	}
	for _, inBackground := range []bool{true, false} {
		before := label()
		s := &storagetest.Stops{Left: 1}
		dying := o
		dying.Hook = s.Hook
		a := reopen(t, t.TempDir(), dying)
		s.Armed = true
		if err := acts["tag moved"](t.Context(), a, w); err == nil || a.Store.Close() != nil {
			t.Fatalf("the tag was moved: %v", err)
		}
		if label() == before {
			t.Fatal("the label was not put")
		}
		if inBackground {
			ctx, end := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); b.KeepTold(ctx) }()
			awaits(t, db, `SELECT COUNT(*) = 0 FROM promised`)
			end()
			<-ended
		} else if _, err := b.Increment(t.Context(), w.d, storagetest.Forced("minor", "x"), storage.Request{}); err != nil {
			t.Error(err)
		}
		if now := label(); says(now) != says(before) { // in other bytes
			t.Errorf("in the background: %t: the label is\n%s\nwant\n%s", inBackground, now, before)
		}
	}
}

// says returns what a label says, without the checksum before it and lines that are empty after it.
func says(label string) string {
	_, text, _ := strings.Cut(label, `"dataset_id"`)
	return strings.TrimRight(text, "\n")
}

// awaits waits until the database says that something is so.
func awaits(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	for range 2000 {
		var is bool
		if err := db.QueryRow(query).Scan(&is); err != nil {
			t.Fatal(err)
		}
		if is {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("it never came to %s", query)
}

// A backup waits for the label that another server is writing, and has both it and what the catalog says of it.
func TestABackupBesideAnotherServersLabel(t *testing.T) {
	server := postgrestest.Start(t)
	buckettest.Start(t)
	o := inBoth(server, "postgres", nil)
	o.Backups = t.TempDir()
	b := reopen(t, t.TempDir(), o)
	w := sharedWorld(b)
	db, err := sql.Open("pgx", server.URL("postgres", ""))
	b.Must(err)
	defer db.Close()
	armed, reached, release := atomic.Bool{}, make(chan struct{}), make(chan struct{})
	slow := o
	slow.Hook = func(op, path string) error {
		if op == "commit" && armed.CompareAndSwap(true, false) {
			close(reached)
			<-release
		}
		return nil
	}
	a := reopen(t, t.TempDir(), slow)
	armed.Store(true)
	moved, made := make(chan error), make(chan error)
	go func() { moved <- acts["tag moved"](context.Background(), a, w) }()
	<-reached
	go func() {
		_, err := b.Copies.Make(context.Background(), storage.NewStoreBackup{}, storage.Request{})
		made <- err
	}()
	awaits(t, db, `SELECT COUNT(*) > 0 FROM pg_locks WHERE NOT granted`)
	close(release)
	b.Must(<-moved)
	b.Must(<-made)
	want := b.Told()
	dir := restoredDir(t, o.Backups)
	if got := storagetest.Shows(t, dir, true); got != want {
		t.Errorf("the backup has\n%s\nwant\n%s", got, want)
	}
	storagetest.WithCatalog(t, dir, nil)
	if got := storagetest.Shows(t, dir, false); got != want {
		t.Errorf("without its catalog the backup has\n%s\nwant\n%s", got, want)
	}
}

// A server dies once it has recorded that a dataset is gone for good: the others remove its objects, without a start.
func TestOthersRemoveWhatIsLeft(t *testing.T) {
	server, objects := postgrestest.Start(t), buckettest.Start(t)
	o := inBoth(server, "postgres", nil)
	b := reopen(t, t.TempDir(), o)
	d := b.Create("d", "id")
	made := b.JSON(d, catalog.Append, `[{"id":1}]`)
	b.Must(b.DeleteDataset(t.Context(), d, storage.Request{}))
	left := func() []string {
		names, err := filepath.Glob(filepath.Join(objects.Dir, "store", "p", "objects", d, "*", "commit.json"))
		b.Must(err)
		return names
	}
	s := &storagetest.Stops{}
	dying := o
	dying.Deleted, dying.Now = time.Hour, func() time.Time { return time.Now().Add(2 * time.Hour) }
	dying.Hook = func(op, path string) error {
		if s.Armed = s.Armed || op == "remove" && strings.HasSuffix(path, fmt.Sprintf("%s/%d", d, made.ID)); !s.Armed {
			return nil
		}
		return s.Hook(op, path)
	}
	a := reopen(t, t.TempDir(), dying)
	if err := a.Vacuums.RunAll(t.Context()); !s.Crashed || a.Store.Close() != nil {
		t.Fatalf("the vacuum did not stop: %v", err)
	}
	if len(left()) == 0 {
		t.Fatal("there is nothing to remove")
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); b.Vacuums.Keep(ctx) }()
	for range 1000 {
		if len(left()) == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	end()
	<-ended
	if names := left(); len(names) > 0 {
		t.Errorf("left: %v", names)
	}
	b.Sound()
}
