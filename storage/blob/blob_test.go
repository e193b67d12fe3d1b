package blob_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rowback/rowback/storage/blob"
)

// store is what every store of objects does, as Conformance requires.
type store interface {
	Batch(key string) (*blob.Batch, error)
	Put(key string, data []byte) (blob.Placed, error)
	Open(key string) (io.ReadSeekCloser, error)
	Remove(prefix string) error
}

func read(t *testing.T, s store, key string) string {
	t.Helper()
	in, err := s.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDirConforms(t *testing.T) {
	Conformance(t, func(t *testing.T) store {
		d, err := blob.Open(t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}

// Conformance is the suite that every store passes.
func Conformance(t *testing.T, open func(t *testing.T) store) {
	t.Run("Put stores an object and replaces it", func(t *testing.T) {
		s := open(t)
		for _, text := range []string{"one", "two", ""} {
			if _, err := s.Put("d/labels/x.json", []byte(text)); err != nil {
				t.Fatal(err)
			}
			if got := read(t, s, "d/labels/x.json"); got != text {
				t.Errorf("got %q, want %q", got, text)
			}
		}
	})
	t.Run("Undo restores the previous object, or its absence", func(t *testing.T) {
		s := open(t)
		first, err := s.Put("d/x", []byte("one"))
		if err := errors.Join(err, first.Keep()); err != nil {
			t.Fatal(err)
		}
		second, err := s.Put("d/x", []byte("two"))
		if err := errors.Join(err, second.Undo()); err != nil {
			t.Fatal(err)
		}
		if got := read(t, s, "d/x"); got != "one" {
			t.Errorf("got %q", got)
		}
		other, err := s.Put("d/y", []byte("new"))
		if err := errors.Join(err, other.Undo()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open("d/y"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a batch is visible once it is published and not before", func(t *testing.T) {
		s := open(t)
		b, err := s.Batch("d/1")
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Write("a", []byte("A")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(b.Path("b"), []byte("B"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(b.Key("a")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("before: %v", err)
		}
		if err := b.Publish(); err != nil {
			t.Fatal(err)
		}
		if got := read(t, s, "d/1/a") + read(t, s, b.Key("b")); got != "AB" {
			t.Errorf("after: %q", got)
		}
	})
	t.Run("a discarded batch is never visible", func(t *testing.T) {
		s := open(t)
		b, err := s.Batch("d/1")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(b.Write("a", []byte("A")), b.Discard()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open("d/1/a"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("Remove removes everything below, and may be repeated", func(t *testing.T) {
		s := open(t)
		for _, key := range []string{"d/1/a", "d/1/b", "d/10/a"} {
			if _, err := s.Put(key, []byte(key)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(s.Remove("d/1"), s.Remove("d/1")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open("d/1/b"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
		if got := read(t, s, "d/10/a"); got != "d/10/a" {
			t.Errorf("its neighbour has %q", got)
		}
	})
	t.Run("concurrent batches", func(t *testing.T) {
		s := open(t)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				b, err := s.Batch(fmt.Sprintf("d%d/%d", i%3, i))
				if err := errors.Join(err, b.Write("x", []byte(fmt.Sprint(i))), b.Publish()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for i := range 20 {
			if got := read(t, s, fmt.Sprintf("d%d/%d/x", i%3, i)); got != fmt.Sprint(i) {
				t.Errorf("%d has %q", i, got)
			}
		}
	})
}

func TestListAndFolders(t *testing.T) {
	d, err := blob.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a/1/x", "a/2/x", "a/labels/y", "b/1/x"} {
		if _, err := d.Put(key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	var keys []string
	for object, err := range d.List("a") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, fmt.Sprint(object.Key, " ", object.Size))
	}
	slices.Sort(keys)
	if got := strings.Join(keys, ", "); got != "a/1/x 5, a/2/x 5, a/labels/y 10" {
		t.Error(got)
	}
	directories, err := d.Directories("a")
	if got := strings.Join(directories, " "); got != "1 2 labels" || err != nil {
		t.Error(got, err)
	}
	if none, err := d.Directories("c"); len(none) > 0 || err != nil {
		t.Error(none, err)
	}
}

func TestOpenEmptiesStagingAndKeepsObjects(t *testing.T) {
	root := t.TempDir()
	d, err := blob.Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.Batch("d/1")
	_, err2 := d.Put("d/0/x", []byte("whole"))
	err3 := os.WriteFile(d.Scratch("upload"), []byte("half"), 0o644)
	if err := errors.Join(err, b.Write("x", []byte("half")), err2, err3); err != nil {
		t.Fatal(err)
	}
	again, err := blob.Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Join(root, "staging"))
	if len(left) > 0 || err != nil {
		t.Errorf("left in staging: %v, %v", left, err)
	}
	if got := read(t, again, "d/0/x"); got != "whole" {
		t.Error(got)
	}
}

// The steps of a batch, in order, so that a forgotten step shows as a difference. Syncs are concurrent, so they are
// sorted.
func TestPublishTrace(t *testing.T) {
	var mu sync.Mutex
	var steps []string
	d, err := blob.Open(t.TempDir(), func(op, path string) error {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, op+" "+path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	steps = nil
	b, err := d.Batch("ds/7")
	if err := errors.Join(err, b.Write("data-0000.parquet", nil), b.Write("commit.json", nil), b.Publish()); err != nil {
		t.Fatal(err)
	}
	want := `create staging/1-batch
write staging/1-batch/data-0000.parquet
write staging/1-batch/commit.json
create objects/ds
sync objects
rename objects/ds/7
sync objects/ds
sync objects/ds/7
sync objects/ds/7/commit.json
sync objects/ds/7/data-0000.parquet`
	slices.Sort(steps[6:]) // the syncs
	if got := strings.Join(steps, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Batches that are published together get their places one by one, in their order, and only once all of them are
// synced: a crash leaves each of them whole or not at all.
func TestBatchesArePublishedTogether(t *testing.T) {
	var mu sync.Mutex
	var steps []string
	d, err := blob.Open(t.TempDir(), func(op, path string) error {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, op+" "+path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []*blob.Batch
	for _, key := range []string{"d/1", "d/2", "d/3"} {
		b, err := d.Batch(key)
		if err := errors.Join(err, b.Write("a", []byte("A")), b.Write("b", []byte("B"))); err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	steps = nil
	if err := blob.Publish(all...); err != nil {
		t.Fatal(err)
	}
	moved := slices.IndexFunc(steps, func(s string) bool { return strings.HasPrefix(s, "rename") })
	synced := 0
	for _, s := range steps[:moved] {
		if strings.HasPrefix(s, "sync staging") {
			synced++
		}
	}
	if synced != 9 {
		t.Errorf("before the first is moved, %d files and directories are synced: %v", synced, steps)
	}
	places := filepath.Join("objects", "d")
	var want []string
	for _, name := range []string{"1", "2", "3"} {
		want = append(want, "rename "+filepath.Join(places, name))
	}
	want = append(want, "sync "+places)
	if got := steps[moved:]; !slices.Equal(got, want) {
		t.Errorf("then\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := read(t, d, "d/2/b"); got != "B" {
		t.Errorf("got %q", got)
	}
}
