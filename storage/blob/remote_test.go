package blob_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/bucket/buckettest"
)

// remote is a store in a bucket, with the wire to it.
type remote struct {
	*blob.Remote
	wire   *buckettest.Wire
	bucket *bucket.Bucket
	root   string
}

// openRemote opens a store in a prefix of a server's bucket.
func openRemote(t *testing.T, s *buckettest.Server, prefix string, o blob.RemoteOptions) remote {
	t.Helper()
	b, wire := s.Open(t, prefix)
	o.Bucket = b
	root := t.TempDir()
	r, err := blob.OpenRemote(t.Context(), root, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	wire.Took()
	return remote{r, wire, b, root}
}

func TestRemoteConforms(t *testing.T) {
	s := buckettest.Start(t)
	n := 0
	Conformance(t, func(t *testing.T) store {
		n++
		return openRemote(t, s, fmt.Sprint("p", n), blob.RemoteOptions{})
	})
}

// commitTo publishes a batch as commits are: files and a description.
func commitTo(s blob.Store, key string, texts ...string) error {
	b, err := s.Batch(key)
	if err != nil {
		return err
	}
	defer b.Discard()
	for i, text := range texts {
		if err := b.Write(fmt.Sprintf("data-%04d.parquet", i), []byte(text)); err != nil {
			return err
		}
	}
	if err := b.Write("commit.json", []byte("the description of "+key)); err != nil {
		return err
	}
	return b.Publish()
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// A commit is its files and then its description, which must not be there; a read is nothing where the file is cached.
// Neither lists the bucket.
func TestRequestsOfACommit(t *testing.T) {
	r := openRemote(t, buckettest.Start(t), "p", blob.RemoteOptions{})
	if err := commitTo(r, "d/7", "one", "two"); err != nil {
		t.Fatal(err)
	}
	took := r.wire.Took()
	if len(took) != 3 || !strings.HasSuffix(took[2], "/objects/d/7/commit.json") {
		t.Errorf("requests: %q", took)
	}
	fetched, err := r.Fetch(t.Context(), "d/7/data-0000.parquet", 3, sumOf("one"), false)
	if fetched || err != nil || len(r.wire.Took()) > 0 {
		t.Errorf("what was just written is fetched: %v, %v", fetched, err)
	}
	if there, err := r.Has("d"); !there || err != nil {
		t.Errorf("whether the dataset is there: %v, %v", there, err)
	}
	if got := read(t, r, "d/7/commit.json"); got != "the description of d/7" {
		t.Errorf("the description: %q", got)
	}
	// Another server must not give the same id; if it does, what stands stays.
	if err := commitTo(r, "d/7", "other"); !errors.Is(err, bucket.ErrExists) {
		t.Errorf("a second commit with that id: %v", err)
	}
	if got, err := r.bucket.Get(t.Context(), "objects/d/7/data-0000.parquet"); string(got) != "one" {
		t.Errorf("its file is %q, %v", got, err)
	}
}

// Where a put fails or its answer is lost, a commit stands or not as its writer is told.
func TestFaultsOfACommit(t *testing.T) {
	s := buckettest.Start(t)
	r := openRemote(t, s, "p", blob.RemoteOptions{})
	for i, how := range []string{buckettest.Lost, buckettest.Failed, buckettest.Busy, buckettest.Refused} {
		r.wire.Break("commit.json", how, 1)
		r.wire.Break("data-0000", how, 1)
		key := fmt.Sprint("d/", i)
		if err := commitTo(r, key, how); err != nil {
			t.Errorf("%s: %v", how, err)
		}
		if got := read(t, r, key+"/commit.json"); got != "the description of "+key {
			t.Errorf("%s: %q", how, got)
		}
	}
	// The work was done, no answer came, and then nothing could be asked.
	r.wire.Break("PUT /store/p/objects/d/9/commit.json", buckettest.Lost, 100)
	r.wire.Break("GET /store/p/objects/d/9/commit.json", buckettest.Refused, 100)
	if err := commitTo(r, "d/9", "nine"); !errors.Is(err, bucket.ErrAway) {
		t.Fatalf("got %v", err)
	}
	r.wire.Down(true)
	if _, err := r.Withdraw("d/9", "d-9-withdrawn", "commit.json"); err != nil {
		t.Fatal(err)
	}
	if err := commitTo(r, "d/10", "ten"); !errors.Is(err, bucket.ErrAway) {
		t.Errorf("a commit while something is owed: %v", err)
	}
	// The process ends, and another one goes on.
	root := r.root
	_ = r.Close()
	b, _ := s.Open(t, "p")
	again, err := blob.OpenRemote(t.Context(), root, blob.RemoteOptions{Bucket: b})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := again.Open("d/9/commit.json"); !errors.Is(err, blob.ErrUnpublished) {
		t.Errorf("the withdrawn commit: %v", err)
	}
	if got, err := again.ReadQuarantined("d-9-withdrawn/commit.json"); string(got) != "the description of d/9" {
		t.Errorf("in quarantine: %q, %v", got, err)
	}
	// An attempt that was still on its way comes too late.
	if err := b.PutNew(t.Context(), "objects/d/9/commit.json", []byte("late")); !errors.Is(err, bucket.ErrExists) {
		t.Errorf("a late attempt: %v", err)
	}
	if err := commitTo(again, "d/10", "ten"); err != nil {
		t.Error(err)
	}
	// What it left is removed a day later, and what stands is not.
	if removed, err := again.Sweep(t.Context(), time.Now()); len(removed) > 0 || err != nil {
		t.Errorf("removed at once: %v, %v", removed, err)
	}
	removed, err := again.Sweep(t.Context(), time.Now().Add(25*time.Hour))
	if err != nil || fmt.Sprint(removed) != "[d/9]" {
		t.Errorf("removed after a day: %v, %v", removed, err)
	}
	if got := read(t, again, "d/10/commit.json"); got != "the description of d/10" {
		t.Error(got)
	}
}

// A server whose objects another one has takes nothing back and removes nothing.
func TestAStaleServerSweepsNothing(t *testing.T) {
	errTaken, taken := errors.New("taken"), false
	r := openRemote(t, buckettest.Start(t), "p", blob.RemoteOptions{Mine: func(context.Context) error {
		if taken {
			return errTaken
		}
		return nil
	}})
	r.wire.Break("d/1/commit.json", buckettest.Refused, 9)
	if err := commitTo(r, "d/1", "one"); err == nil {
		t.Fatal("the commit stands")
	}
	placed, err := r.Put("d/labels/x.json", []byte("first"))
	if err != nil {
		t.Fatal(err)
	}
	r.wire.Down(true)
	if err := placed.Undo(); err != nil {
		t.Fatal(err)
	}
	taken = true
	r.wire.Down(false)
	r.wire.Took()
	if removed, err := r.Sweep(t.Context(), time.Now().Add(25*time.Hour)); !errors.Is(err, errTaken) {
		t.Errorf("it removed %v, %v", removed, err)
	}
	if err := r.Settle(t.Context()); !errors.Is(err, errTaken) {
		t.Errorf("it takes back what is another's: %v", err)
	}
	for _, request := range r.wire.Took() {
		if !strings.HasPrefix(request, "GET") {
			t.Errorf("it made the request %s", request)
		}
	}
}

// What is owed is paid once the store answers, without a restart.
func TestGoesOnWhenTheBucketIsBack(t *testing.T) {
	r := openRemote(t, buckettest.Start(t), "p", blob.RemoteOptions{})
	placed, err := r.Put("d/labels/x.json", []byte("first"))
	if err := errors.Join(err, placed.Keep()); err != nil {
		t.Fatal(err)
	}
	placed, err = r.Put("d/labels/x.json", []byte("second"))
	if err != nil {
		t.Fatal(err)
	}
	r.wire.Down(true)
	if err := placed.Undo(); err != nil {
		t.Fatal(err)
	}
	if err := r.Writable(); !errors.Is(err, bucket.ErrAway) {
		t.Errorf("writable: %v", err)
	}
	for _, key := range []string{"d/labels/x.json", "d/7/data-0000.parquet", "other"} {
		if there, err := r.Has(key); there || !errors.Is(err, bucket.ErrAway) {
			t.Errorf("whether %s is there: %v, %v", key, there, err)
		}
	}
	r.wire.Down(false)
	if err := r.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, r, "d/labels/x.json"); got != "first" || r.Writable() != nil {
		t.Errorf("afterwards: %q, %v", got, r.Writable())
	}
}

// A file is fetched once however many ask, verified, and stays until others need its room; what is held stays longer.
func TestCache(t *testing.T) {
	s := buckettest.Start(t)
	filled := openRemote(t, s, "p", blob.RemoteOptions{})
	text := strings.Repeat("0123456789", 100)
	for i := range 5 {
		if err := commitTo(filled, fmt.Sprint("d/", i), text+fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	r := openRemote(t, s, "p", blob.RemoteOptions{Limit: 2500})
	key := func(i int) string { return fmt.Sprintf("d/%d/data-0000.parquet", i) }
	fetch := func(i int) error {
		_, err := r.Fetch(t.Context(), key(i), 1001, sumOf(text+fmt.Sprint(i)), false)
		return err
	}
	release := r.Hold([]string{key(0)})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := fetch(0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if took := r.wire.Took(); len(took) != 1 {
		t.Errorf("20 readers made %d requests", len(took))
	}
	for i := 1; i < 5; i++ {
		if err := fetch(i); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(r.Path(key(0))); err != nil {
		t.Errorf("a file that is held is gone: %v", err)
	}
	if files, used := r.Used(); files != 2 || used != 2002 {
		t.Errorf("%d files of %d bytes are cached", files, used)
	}
	release()
	// Another process finds what is whole.
	if err := os.WriteFile(filepath.Join(r.root, "remote", "cache", "9.part"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	again, err := blob.OpenRemote(t.Context(), r.root, blob.RemoteOptions{Bucket: r.bucket, Limit: 2500})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if files, used := again.Used(); files != 2 || used != 2002 {
		t.Errorf("after a restart, %d files of %d bytes are cached", files, used)
	}
}

// What is not what was written is never served, and neither is a part of it.
func TestDamagedObjectsAreNotCached(t *testing.T) {
	s := buckettest.Start(t)
	if err := commitTo(openRemote(t, s, "p", blob.RemoteOptions{}), "d/1", "whole"); err != nil {
		t.Fatal(err)
	}
	r := openRemote(t, s, "p", blob.RemoteOptions{})
	const key = "d/1/data-0000.parquet"
	fetch := func(size int64) error {
		_, err := r.Fetch(t.Context(), key, size, sumOf("whole"), false)
		return err
	}
	r.wire.Break("GET", buckettest.Cut, 2)
	if err := fetch(5); err != nil {
		t.Errorf("after it was cut off twice: %v", err)
	}
	r.Fetch(t.Context(), key, 5, sumOf("whole"), true)
	place := filepath.Join(s.Dir, "store", "p", "objects", filepath.FromSlash(key))
	for _, text := range []string{"whale", "who"} {
		if err := r.bucket.Put(t.Context(), "objects/"+key, []byte(text)); err != nil {
			t.Fatal(err)
		}
		_, err := r.Fetch(t.Context(), key, 5, sumOf("whole"), true)
		if _, none := os.Stat(r.Path(key)); !errors.Is(err, blob.ErrDiffers) || !errors.Is(none, fs.ErrNotExist) {
			t.Errorf("%s: %v, %v", text, err, none)
		}
		if err := r.Examine(t.Context(), key, 5, sumOf("whole"), true, nil); !errors.Is(err, blob.ErrDiffers) {
			t.Errorf("examined, %s: %v", text, err)
		}
	}
	if err := os.Remove(place); err != nil {
		t.Fatal(err)
	}
	if err := fetch(5); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deleted behind our back: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Fetch(ended, key, 5, "", false); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// Moved to quarantine, what is in a bucket keeps its bytes.
func TestRemoteQuarantine(t *testing.T) {
	r := openRemote(t, buckettest.Start(t), "p", blob.RemoteOptions{})
	for range 2 {
		if err := commitTo(r, "d/1", "one"); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Quarantine("d/1", "d-1"); err != nil {
			t.Fatal(err)
		}
	}
	names, err := r.Quarantined()
	if err != nil || fmt.Sprint(names) != "[d-1 d-1-2]" {
		t.Errorf("in quarantine: %v, %v", names, err)
	}
	if got, err := r.ReadQuarantined("d-1-2/data-0000.parquet"); !bytes.Equal(got, []byte("one")) {
		t.Errorf("%q, %v", got, err)
	}
	if dirs, err := r.Directories("d"); len(dirs) > 0 || err != nil {
		t.Errorf("left: %v, %v", dirs, err)
	}
}
