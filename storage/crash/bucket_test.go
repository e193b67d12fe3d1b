package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/bucket/buckettest"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datadir"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

// inBucket are options of a store whose objects are below a prefix of a server's bucket.
func inBucket(prefix string, wire *buckettest.Wire) storage.Options {
	return storage.Options{Objects: &storage.ObjectStore{
		Objects: datadir.Objects{URL: "s3://store/" + prefix},
		Client: func(o *bucket.Options) {
			if wire != nil {
				o.Transport, o.Timeout = wire, time.Second
			}
		},
	}}
}

// The machine stops at steps of operations on a bucket. After each, the state is the one before or the one after, also
// where the catalog is lost.
func TestCrashesInABucket(t *testing.T) {
	s := buckettest.Start(t)
	w := worldOf(t, reopen(t, t.TempDir(), inBucket("p0", nil)))
	b, _ := s.Open(t, "")
	var copies atomic.Int64
	w.copied = func(t *testing.T) string {
		t.Helper()
		to := fmt.Sprintf("p%d/", copies.Add(1))
		for o, err := range b.List(t.Context(), "p0/", false) {
			if err == nil {
				err = b.Copy(t.Context(), o.Key, to+strings.TrimPrefix(o.Key, "p0/"), o.Size)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		dir := storagetest.Copied(t, w.dir)
		marker := filepath.Join(dir, datadir.MarkerFile)
		text, err := os.ReadFile(marker)
		text = bytes.Replace(text, []byte("s3://store/p0"), []byte("s3://store/"+strings.TrimSuffix(to, "/")), 1)
		if err := errors.Join(err, os.WriteFile(marker, text, 0o600)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	before := storagetest.Shows(t, w.dir, true)
	for _, name := range []string{"upsert", "erase", "tag moved"} {
		t.Run(name, func(t *testing.T) {
			after, _ := done(t, w, acts[name])
			crashEverywhere(t, w, acts[name], before, after)
		})
	}
}

// safeBuffer is a log that goroutines write to.
type safeBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// A small commit is two rounds of puts, and a read of what was fetched before asks for nothing. Now and then it is asked
// beside and after the puts whose the bucket is. Nothing is listed.
func TestRequestsToABucket(t *testing.T) {
	buckettest.Start(t)
	wire := &buckettest.Wire{}
	b := reopen(t, t.TempDir(), inBucket("p", wire))
	d := b.Create("d", "id")
	b.JSON(d, catalog.Append, `[{"id":1,"x":"a"},{"id":2,"x":"b"}]`)
	wire.Took()
	const whose = "GET /store/p/store.json"
	c := b.JSON(d, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	took := slices.DeleteFunc(wire.Took(), func(request string) bool { return request == whose })
	if len(took) != 3 || !strings.HasSuffix(took[2], fmt.Sprintf("/%d/commit.json", c.ID)) {
		t.Errorf("an upsert made these requests: %q", took)
	}
	b.Want(d, "head", `{"id":1,"x":"A"}`, `{"id":2,"x":"b"}`)
	if _, err := b.TryRollback(d, c.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.Want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`)
	for _, request := range wire.Took() {
		if !strings.HasPrefix(request, "PUT ") && request != whose {
			t.Errorf("reads and a rollback made the request %s", request)
		}
	}
}

// While the bucket is away, commits are refused and what is cached is read; when it is back, commits go on. What was
// refused does not stand, although the bucket may have taken it.
func TestABucketThatIsAway(t *testing.T) {
	buckettest.Start(t)
	wire, log := &buckettest.Wire{}, &safeBuffer{}
	o := inBucket("p", wire)
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	b := reopen(t, t.TempDir(), o)
	d := b.Create("d", "id")
	b.JSON(d, catalog.Append, `[{"id":1}]`)
	refusedAway := func(what string, err error) {
		t.Helper()
		if e := storage.Explain(err); err == nil || e.Kind != fault.Unavailable || e.Code != "object_store_unavailable" {
			t.Errorf("%s: %v", what, err)
		}
	}
	wire.Break("PUT", buckettest.Lost, 1) // the file, which is put again
	wire.Break("commit.json", buckettest.Lost, 1)
	b.JSON(d, catalog.Append, `[{"id":2}]`)
	wire.Down(true)
	_, err := b.Try(d, catalog.Append, intake.JSON, `[{"id":3}]`)
	refusedAway("a commit", err)
	refusedAway("ready", b.Ready(t.Context()))
	b.Want(d, "head", `{"id":1}`, `{"id":2}`)
	wire.Down(false)
	for b.Ready(t.Context()) != nil { // it is taken back in the background
		time.Sleep(50 * time.Millisecond)
	}
	b.JSON(d, catalog.Append, `[{"id":4}]`)
	b.Want(d, "head", `{"id":1}`, `{"id":2}`, `{"id":4}`)
	b.Sound()
	for _, secret := range []string{buckettest.AccessKey, buckettest.SecretKey} {
		if strings.Contains(log.String(), secret) || strings.Contains(fmt.Sprint(err), secret) {
			t.Errorf("a credential is in the log or in an error:\n%s", log)
		}
	}
}

// An object that is deleted behind the store's back is refused by name; all else goes on, and so does this once it is
// back.
func TestAnObjectThatIsGone(t *testing.T) {
	s := buckettest.Start(t)
	dir := t.TempDir()
	b := reopen(t, dir, inBucket("p", nil))
	d, other := b.Create("d", "id"), b.Create("other", "id")
	c := b.JSON(d, catalog.Append, `[{"id":1}]`)
	b.JSON(other, catalog.Append, `[{"id":1}]`)
	b.Store.Close()
	if err := os.RemoveAll(filepath.Join(dir, "remote", "cache")); err != nil {
		t.Fatal(err)
	}
	b = reopen(t, dir, storage.Options{}) // store.json knows where the objects are
	store, _ := s.Open(t, "p")
	key := fmt.Sprintf("objects/%s/%d/data-0000.parquet", d, c.ID)
	kept, err := store.Get(t.Context(), key)
	if err := errors.Join(err, store.Remove(t.Context(), key)); err != nil {
		t.Fatal(err)
	}
	read := func() error {
		snap, err := b.Snapshot(t.Context(), d, "head")
		if err != nil {
			return err
		}
		conn, err := b.Conn(t.Context())
		if err != nil {
			return err
		}
		defer conn.Close()
		var n int
		return conn.Row(t.Context(), "SELECT count(*) FROM ("+snap.Table()+") WHERE id > 0", &n)
	}
	if e := storage.Explain(read()); e.Code != "corrupted_data" || e.Fields["commit"] != c.ID {
		t.Errorf("got %v", e)
	}
	b.Want(other, "head", `{"id":1}`)
	b.JSON(other, catalog.Append, `[{"id":2}]`)
	if problems, err := b.Check(t.Context(), false); err != nil || len(problems) != 1 {
		t.Errorf("check: %v, %v", problems, err)
	}
	if err := store.Put(t.Context(), key, kept); err != nil {
		t.Fatal(err)
	}
	if err := read(); err != nil {
		t.Errorf("once it is back: %v", err)
	}
}

// A data directory that is lost is made again from the bucket; the former one is refused then, as are other stores.
func TestANewDirectoryGoesOnWithABucket(t *testing.T) {
	buckettest.Start(t)
	o := inBucket("p", nil)
	dir := t.TempDir()
	b := reopen(t, dir, o)
	d := b.Create("d", "id")
	b.JSON(d, catalog.Append, `[{"id":1},{"id":2}]`)
	b.JSON(d, catalog.Delete, `[{"id":2}]`)
	if _, err := b.Increment(t.Context(), d, storagetest.Forced("minor", "kept"), storage.Request{}); err != nil {
		t.Fatal(err)
	}
	was := b.Told()
	b.Store.Close()
	again := reopen(t, t.TempDir(), o)
	if now := again.Told(); now != was {
		t.Errorf("it shows\n%s\nwant\n%s", now, was)
	}
	again.Sound()
	again.JSON(d, catalog.Append, `[{"id":3}]`)
	again.Store.Close()
	for what, try := range map[string]func() (*storage.Store, error){
		"the former directory": func() (*storage.Store, error) { return storage.Open(t.Context(), dir, o) },
		"another bucket": func() (*storage.Store, error) {
			return storage.Open(t.Context(), again.Dir, inBucket("q", nil))
		},
		"a store with objects of its own": func() (*storage.Store, error) {
			local := open(t)
			local.ClosedDir()
			return storage.Open(t.Context(), local.Dir, o)
		},
	} {
		if s, err := try(); err == nil {
			s.Close()
			t.Errorf("%s is accepted", what)
		} else {
			t.Logf("%s: %v", what, err)
		}
	}
	found, err := storage.Inspect(context.Background(), again.Dir, true, storage.Options{})
	if err != nil || len(found.Problems) > 0 {
		t.Errorf("check: %v, %v", found.Problems, err)
	}
}

// A server that has the objects open does not answer for a commit once another one goes on with them, of whatever
// dataset it is: what it answered for before, the other one has. Nothing of it damages what the other one does.
func TestTwoServersOfABucket(t *testing.T) {
	buckettest.Start(t)
	o := inBucket("p", nil)
	first := reopen(t, t.TempDir(), o)
	d, e := first.Create("d", "id"), first.Create("e", "id")
	first.JSON(d, catalog.Append, `[{"id":1}]`)
	first.JSON(e, catalog.Append, `[{"id":1}]`)
	second := reopen(t, t.TempDir(), o)
	second.JSON(d, catalog.Append, `[{"id":2}]`)
	for range 2 { // once it finds out, and then at once
		_, err := first.Try(e, catalog.Append, intake.JSON, `[{"id":2}]`)
		if code := storage.Explain(err).Code; err == nil || code != "other_server" {
			t.Errorf("a commit to another dataset: %v", err)
		}
		_, err = first.CreateTag(t.Context(), e, storage.NewTag{Name: "mine", Ref: "head"}, storage.Request{})
		if code := storage.Explain(err).Code; err == nil || code != "other_server" {
			t.Errorf("a tag: %v", err)
		}
	}
	if err := first.Ready(t.Context()); storage.Explain(err).Code != "other_server" {
		t.Errorf("it is ready: %v", err)
	}
	first.Store.Close()
	second.JSON(e, catalog.Append, `[{"id":3}]`)
	second.Want(e, "head", `{"id":1}`, `{"id":3}`)
	second.Sound()
	second.Close()
	found, err := storage.Inspect(t.Context(), second.Dir, true, storage.Options{})
	if err != nil || len(found.Problems)+len(found.Forward) > 0 {
		t.Errorf("check: %+v, %v", found, err)
	}
}
