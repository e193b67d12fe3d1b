package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

const secret = "Zebra-4711-Quagga"

// secretive is a store with a text that is to be erased wherever it may be: in data files of each kind of writer, in
// rollback files, bounds, categories, compacted files, exports, a condition, a fork.
func secretive(t *testing.T) (b *bench, d, fork string) {
	t.Helper()
	b = reopen(t, t.TempDir(), storagetest.Eager)
	d = b.Create("people", "name")
	var csv strings.Builder
	csv.WriteString("name,category,n\n")
	for i := range 900 {
		fmt.Fprintf(&csv, "p%d,c%d,%d\n", i, i%3, i)
	}
	fmt.Fprintf(&csv, "%[1]s,%[1]s,7\n", secret)
	b.Put(d, catalog.Append, intake.CSV, csv.String())
	state, err := b.Fork(b.Context(), d, storage.NewFork{Name: "fork"}, storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	fork = state.Dataset.ID
	b.JSON(fork, catalog.Upsert, `[{"name":"`+secret+`","n":9},{"name":"p1","n":9}]`)
	b.JSON(d, catalog.Upsert, `[{"name":"`+secret+`","n":8},{"name":"p1","n":8}]`)
	where := "name = '" + secret + "'"
	if _, err := b.Commit(b.Context(), d, storage.Change{Mode: catalog.Delete, Where: where}); err != nil {
		b.Fatal(err)
	}
	b.JSON(d, catalog.Append, `[{"name":"`+secret+`","category":"`+secret+`","n":1}]`)
	b.CompactAll(d)
	return b, d, fork
}

// readable returns what the files of a store say: their bytes, and all values of its Parquet files.
func (b *bench) holders(text string) (names []string) {
	b.Helper()
	names = storagetest.Holds(b.T, b.Dir, text)
	conn, err := b.Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	engine, err := duck.Open(duck.Limits{Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	plain, err := engine.Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer plain.Close()
	err = filepath.WalkDir(b.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".parquet") {
			return err
		}
		var n int64
		query := "SELECT count(*) FROM " + duck.Text(path) + " t WHERE contains(CAST(to_json(t) AS VARCHAR), '" + text + "')"
		if err := plain.Row(b.Context(), query, &n); err != nil {
			return err
		}
		if n > 0 {
			names = append(names, path)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return names
}

// Nothing in the data directory has an erased value any more: no file, no statistic, no condition, no page of the
// catalog.
func TestNothingHoldsWhatWasErased(t *testing.T) {
	t.Parallel()
	b, d, _ := secretive(t)
	snap, err := b.Snapshot(b.Context(), d, "head")
	if err != nil {
		t.Fatal(err)
	}
	f, err := b.Export(b.Context(), snap, 0, 1<<40, false)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if names := b.holders(secret); len(names) < 5 {
		t.Fatalf("before, only %v have it", names)
	}
	out := b.EraseKeys(d, `"`+secret+`"`)
	if out.Records != 1 || len(out.Datasets) != 2 {
		t.Errorf("erased %+v", out)
	}
	if names := b.holders(secret); len(names) > 0 {
		t.Errorf("%v have it", names)
	}
	b.Sound()
	again := &bench{b.Reopened(t, true)}
	if names := again.holders(secret); len(names) > 0 {
		t.Errorf("after the catalog was lost, %v have it", names)
	}
}

// What can't be read is left alone: the erasure is refused, and nothing has changed.
func TestADamagedFileIsNotErasedFrom(t *testing.T) {
	t.Parallel()
	b, d, fork := secretive(t)
	before := b.EveryState(d)
	var damaged string
	for object := range must2(filepath.Glob(filepath.Join(b.Dir, "objects", fork, "*", "rollback-0000.parquet"))) {
		damaged = object
	}
	text, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	broken := bytes.Clone(text)
	broken[len(broken)/2] ^= 1
	if err := os.WriteFile(damaged, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = b.Removals.Erase(b.Context(), d, storage.Erasure{Keys: []json.RawMessage{[]byte(`"` + secret + `"`)}},
		storage.Request{})
	if fault.KindOf(err) != fault.Corrupt {
		t.Errorf("got %v", err)
	}
	b.SameStates(d, before)
	if err := os.WriteFile(damaged, text, 0o600); err != nil {
		t.Fatal(err)
	}
	b.EraseKeys(d, `"`+secret+`"`)
	b.Sound()
}

func must2(list []string, err error) map[string]bool {
	out := map[string]bool{}
	for _, one := range list {
		out[one] = true
	}
	return out
}

// On a disk that is full at some step, an erasure is refused and changes nothing, or stands.
func TestErasingOnAFullDisk(t *testing.T) {
	t.Parallel()
	for step := rand.IntN(3); ; step += 3 { // a third of the steps in each run
		b, d, _ := secretive(t)
		b.ClosedDir()
		var left atomic.Int64
		left.Store(1 << 40)
		failed := false
		b = reopen(t, b.Dir, storage.Options{Hook: func(op, path string) error {
			if left.Add(-1) < 0 && (op == "write" || op == "create" || op == "rename") {
				failed = true
				return &fs.PathError{Op: op, Path: path, Err: syscall.ENOSPC}
			}
			return nil
		}})
		left.Store(int64(step))
		_, err := b.Removals.Erase(b.Context(), d, storage.Erasure{Keys: []json.RawMessage{[]byte(`"` + secret + `"`)}},
			storage.Request{})
		left.Store(1 << 40)
		if err == nil && !failed {
			return
		}
		code := storage.Explain(err).Code
		if err != nil && code != "disk_full" && code != "removal_unfinished" {
			t.Errorf("step %d: %v", step, err)
		}
		rows := strings.Join(b.Rows(d, "head", false), "\n")
		if has := strings.Contains(rows, secret); has != (code == "disk_full") {
			t.Errorf("step %d, answered with %v: the record is there: %v", step, err, has)
		}
		b.Sound()
		after := &bench{b.Reopened(t, step%2 == 0)}
		if code != "disk_full" && len(after.holders(secret)) > 0 {
			t.Errorf("step %d: %v have it", step, after.holders(secret))
		}
		after.Store.Close()
	}
}

// Writers, readers, forks and backups go on while records are erased: each sees records as they were or as they are,
// and no count is wrong afterwards.
func TestErasingBesideWriters(t *testing.T) {
	t.Parallel()
	b := reopen(t, t.TempDir(), storagetest.Eager)
	d := b.Create("d", "id")
	b.JSON(d, catalog.Append, `[{"id":1,"v":"a"},{"id":2,"v":"b"},{"id":3,"v":"c"}]`)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var next atomic.Int64
	next.Store(1000)
	fails := func(err error) {
		code := storage.Explain(err).Code
		if err != nil && ctx.Err() == nil && !slices.Contains([]string{"file_changed", "key_exists"}, code) {
			t.Errorf("%s: %v", code, err)
		}
	}
	for w := range 8 {
		wg.Go(func() {
			for i := 0; i < 40 && ctx.Err() == nil; i++ {
				body := fmt.Sprintf(`[{"id":%d,"v":"w%d"},{"id":%d,"v":"%d"}]`, next.Add(1), w, 1+w%3, next.Load())
				_, err := b.Try(d, catalog.Upsert, intake.JSON, body)
				fails(err)
			}
		})
	}
	wg.Go(func() {
		for i := 0; i < 10 && ctx.Err() == nil; i++ {
			_, err := b.Fork(context.Background(), d, storage.NewFork{}, storage.Request{})
			fails(err)
			_, err = b.Backups.Make(context.Background(), d, storage.NewBackup{}, storage.Request{})
			fails(err)
			_, err = b.Upkeep.Compact(context.Background(), d)
			if !errors.Is(err, context.Canceled) {
				fails(err)
			}
		}
	})
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				fails(b.readsRight(d))
			}
		})
	}
	for i := range 4 {
		b.EraseKeys(d, fmt.Sprint(1+i%3), fmt.Sprint(1001+20*i))
	}
	stop()
	wg.Wait()
	b.EraseKeys(d, "1", "2", "3")
	b.Sound()
	b.Reopened(t, true)
}

// readsRight reads the head and reports whether it has as many records as it says, each key once.
func (b *bench) readsRight(d string) error {
	snap, err := b.Snapshot(context.Background(), d, "head")
	if err != nil {
		return err
	}
	conn, err := b.Conn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	var n, keys int64
	err = conn.Row(context.Background(), "SELECT count(*), count(DISTINCT id) FROM ("+snap.Table()+")", &n, &keys)
	if err == nil && (n != snap.Total() || keys != n) {
		b.Errorf("at %d: %d records of %d keys; it says %d", snap.Commit.ID, n, keys, snap.Total())
	}
	return err
}
