package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
)

// bulky makes records that compress badly: about 100 bytes each.
func bulky(from, to int, random *rand.Rand) string {
	var csv strings.Builder
	csv.WriteString("id,text\n")
	for i := from; i < to; i++ {
		fmt.Fprintf(&csv, "%d,%016x%016x%016x%016x%016x\n", i, random.Uint64(), random.Uint64(), random.Uint64(),
			random.Uint64(), random.Uint64())
	}
	return csv.String()
}

// fileOf is where the first data file of a commit lies.
func (b *bench) fileOf(dataset string, commit int64, kind string) string {
	return filepath.Join(b.Dir, "objects", dataset, fmt.Sprint(commit), kind+"-0000.parquet")
}

// digest reads all records at a ref, in an order: a checksum.
func (b *bench) digest(dataset, ref string) (sum string, err error) {
	ctx := context.Background()
	snap, err := b.Snapshot(ctx, dataset, ref)
	if err != nil {
		return "", err
	}
	conn, err := b.Conn(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	const digest = "SELECT coalesce(md5(string_agg(CAST(r AS VARCHAR), '' ORDER BY CAST(r AS VARCHAR))), '') FROM (%s) r"
	return sum, conn.Row(ctx, fmt.Sprintf(digest, snap.Table()), &sum)
}

// flip writes data with one bit changed.
func (b *bench) flip(path string, data []byte, bit int) {
	b.Helper()
	bad := bytes.Clone(data)
	bad[bit/8] ^= 1 << (bit % 8)
	b.write(path, bad)
}

func (b *bench) write(path string, data []byte) {
	b.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) readFile(path string) []byte {
	b.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

// refused makes sure that an error is a refusal of damaged data.
func (b *bench) refused(what string, err error) {
	b.Helper()
	if e := storage.Explain(err); err == nil || e.Kind != fault.Corrupt {
		b.Errorf("%s: got %v", what, err)
	}
}

// uses are what reads a commit's files, by name.
func (b *bench) uses(d string, commit int64) map[string]func() error {
	ctx := context.Background()
	at := fmt.Sprint(commit)
	stateAt := func(ref string) *snapshot.Snapshot {
		snap, err := b.Snapshot(ctx, d, ref)
		if err != nil {
			b.Fatal(err)
		}
		return snap
	}
	conn := func(do func(*duck.Conn) error) error {
		c, err := b.Conn(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		return do(c)
	}
	return map[string]func() error{
		"records":  func() error { _, err := b.digest(d, at); return err },
		"a digest": func() error { _, err := b.Digests.Of(ctx, d, at); return err },
		"a comparison": func() error {
			return conn(func(c *duck.Conn) error {
				_, err := snapshot.Diff(stateAt("0"), stateAt(at)).Count(ctx, c)
				return err
			})
		},
		"a condition": func() error {
			box, err := b.Filter(ctx, stateAt(at), false, nil)
			if err == nil {
				err = box.Close()
			}
			return err
		},
		"a statement": func() error {
			box, err := b.Sandboxes.OpenLocked(ctx, false, stateAt(at).Paths(), "CREATE VIEW t AS "+stateAt(at).Table())
			if err == nil {
				err = box.Close()
			}
			return err
		},
		"its keys": func() error { _, err := b.Try(d, "overwrite", intake.JSON, `[{"id":3,"text":"x"}]`); return err },
		"a backup": func() error {
			_, err := b.Backups.Make(ctx, d, storage.NewBackup{Ref: at}, storage.Request{})
			return err
		},
		"an export": func() error {
			f, err := b.Export(ctx, stateAt(at), 0, time.Minute, false)
			if err == nil {
				err = f.Close()
			}
			return err
		},
		"a part of an export": func() error {
			f, err := b.Export(ctx, stateAt(at), 0, time.Minute, true)
			if err == nil {
				err = f.Close()
			}
			return err
		},
		"a restore": func() error { _, err := b.Restore(ctx, d, at, storage.Request{}); return err },
	}
}

// One bit that is another one in a stored file never reaches a reader as a value: not while the server runs, and not
// after a restart.
func TestNoFlippedBitIsServed(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	b := open(t)
	d := b.Create("x", "id")
	first := b.Put(d, "append", intake.CSV, bulky(0, 8000, random))
	path := b.fileOf(d, first.ID, "data")
	whole := b.readFile(path)
	if len(whole) < 300_000 {
		t.Fatalf("the file has only %d bytes", len(whole))
	}
	for n := range 130 {
		b.flip(path, whole, random.IntN(8*len(whole)))
		if n%20 == 0 {
			b.Store.Close()
			b = reopen(t, b.Dir, storage.Options{})
		}
		_, err := b.digest(d, "head")
		b.refused("records", err)
		if n%10 == 0 {
			for what, use := range b.uses(d, first.ID) {
				b.refused(what, use())
			}
		}
	}
	b.write(path, whole)
	if _, err := b.digest(d, "head"); err != nil {
		t.Errorf("mended: %v", err)
	}
	b.Sound()
}

// A file in another's place, cut, emptied, gone, or replaced by an older one is refused by its commit's name; all that
// does not need it goes on, and it is served again once it is what it was.
func TestForeignAndMissingFilesAreRefused(t *testing.T) {
	ctx := context.Background()
	random := rand.New(rand.NewPCG(1, 2))
	b := open(t)
	d, other := b.Create("x", "id"), b.Create("y", "id")
	first := b.Put(d, "append", intake.CSV, bulky(0, 50, random))
	second := b.Put(d, "append", intake.CSV, bulky(50, 100, random))
	third := b.Put(d, "overwrite", intake.CSV, bulky(60, 61, random))
	foreign := b.Put(other, "append", intake.CSV, bulky(50, 100, random))
	before, err := b.digest(d, "head")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"data", "rollback"} {
		commit := map[string]int64{"data": second.ID, "rollback": third.ID}[kind]
		path := b.fileOf(d, commit, kind)
		whole := b.readFile(path)
		for what, damage := range map[string]func(){
			"another dataset's": func() { b.write(path, b.readFile(b.fileOf(other, foreign.ID, "data"))) },
			"an older one":      func() { b.write(path, b.readFile(b.fileOf(d, first.ID, "data"))) },
			"cut":               func() { b.write(path, whole[:len(whole)-1]) },
			"longer":            func() { b.write(path, append(bytes.Clone(whole), 0)) },
			"empty":             func() { b.write(path, nil) },
			"gone":              func() { os.Remove(path) },
			"a directory":       func() { os.Remove(path); os.Mkdir(path, 0o700) },
		} {
			t.Run(kind+" "+what, func(t *testing.T) {
				damage()
				_, err := b.digest(d, "head")
				b.refused(what, err)
				if e := storage.Explain(err); e.Fields["commit"] != commit || e.Fields["dataset_id"] != d ||
					!strings.Contains(e.Detail, fmt.Sprintf("commit %d of dataset 'x'", commit)) {
					t.Errorf("%v %s", e.Fields, e.Detail)
				}
				b.refused(what, b.uses(d, third.ID)["an export"]())
				if list := b.Damaged(); len(list) != 1 || list[0].Commit != commit {
					t.Errorf("damaged: %+v", list)
				}
				if err := b.Ready(ctx); err != nil {
					t.Errorf("it can take commits: %v", err)
				}
				for of, ref := range map[string]string{d: fmt.Sprint(first.ID), other: "head"} {
					if _, err := b.digest(of, ref); err != nil {
						t.Errorf("what does not need the file: %v", err)
					}
				}
				if problems, err := b.Check(ctx, false); err != nil || len(problems) == 0 {
					t.Errorf("the check finds %v, %v", problems, err)
				}
				os.RemoveAll(path)
				b.write(path, whole)
				if after, err := b.digest(d, "head"); err != nil || after != before {
					t.Errorf("put back: %v", err)
				}
				if list := b.Damaged(); len(list) != 0 {
					t.Errorf("put back, damaged: %+v", list)
				}
			})
		}
	}
	b.Sound()
}

// A file that was verified while it was sound is read again before it becomes part of what others will rely on, even if
// nothing shows that it has changed.
func TestWhatOthersRelyOnIsReadWhole(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	c := b.Put(d, "append", intake.CSV, bulky(0, 50, rand.New(rand.NewPCG(3, 4))))
	f := b.MakeFork(d, "f", "head")
	e := b.Put(f, "append", intake.CSV, bulky(50, 60, rand.New(rand.NewPCG(3, 4))))
	path := b.fileOf(f, e.ID, "data")
	whole := b.readFile(path)
	if _, err := b.digest(f, "head"); err != nil {
		t.Fatal(err)
	}
	b.flip(path, whole, 4000)
	_, err := b.Merge(context.Background(), d, storage.Merge{Source: f, Autorollback: true}, storage.Request{})
	b.refused("a merge", err)
	b.write(path, whole)
	b.MakeMerge(f, d)

	path = b.fileOf(d, c.ID, "data")
	whole = b.readFile(path)
	b.flip(path, whole, 4000)
	for _, what := range []string{"a backup", "a restore", "an export"} {
		b.refused(what, b.uses(d, c.ID)[what]())
	}
	b.write(path, whole)
	backup, _ := b.Archive(d, "head")
	archive := filepath.Join(b.Dir, "objects", backup.Key)
	b.flip(archive, b.readFile(archive), 9000)
	_, err = b.Backups.Open(context.Background(), backup, false)
	b.refused("an archive", err)
}

// Errors that do not come of a damaged file are not called damage, and leave none behind.
func TestOtherErrorsAreNotDamage(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.Put(d, "append", intake.CSV, bulky(0, 50, rand.New(rand.NewPCG(5, 6))))
	snap, err := b.Snapshot(context.Background(), d, "head")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := b.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	gone, leave := context.WithCancel(context.Background())
	leave()
	for sql, ctx := range map[string]context.Context{
		"SELECT nothing FROM (%s)":                   context.Background(),
		"SELECT CAST(text AS INTEGER) FROM (%s)":     context.Background(),
		"SELECT error(text) FROM (%s)":               context.Background(),
		"SELECT regexp_matches(text, '(') FROM (%s)": context.Background(),
		"SELECT count(*) FROM (%s)":                  gone,
	} {
		_, err := conn.Exec(ctx, fmt.Sprintf(sql, snap.Table()))
		if err == nil || fault.KindOf(storage.Explain(err)) == fault.Corrupt {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if list := b.Damaged(); len(list) > 0 {
		t.Errorf("%+v", list)
	}
}

// A large file is opened by its size and what it says of itself; a scrub reads all of it, at its pace, and what it
// finds is refused from then on.
func TestAScrubFindsWhatNoOneReads(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	random := rand.New(rand.NewPCG(7, 8))
	b := open(t)
	d, other := b.Create("x", "id"), b.Create("y", "id")
	large := b.Put(d, "append", intake.CSV, bulky(0, 420_000, random))
	b.Put(other, "append", intake.CSV, bulky(0, 10, random))
	history := b.Put(other, "append", intake.CSV, bulky(10, 20, random))
	if _, err := b.TryRollback(other, history.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	backup, _ := b.Archive(other, "head")
	var slept time.Duration
	plan := storage.ScrubPlan{Rate: 1 << 20, Sleep: func(_ context.Context, d time.Duration) error {
		slept += d
		return nil
	}}
	if err := b.Scrubs.Run(ctx, plan); err != nil {
		t.Fatal(err)
	}
	state := b.Scrubs.State()
	path := b.fileOf(d, large.ID, "data")
	whole := b.readFile(path)
	if len(whole) <= 16<<20 {
		t.Fatalf("the file has only %d bytes", len(whole))
	}
	if state.Files != 4 || state.Bytes < int64(len(whole)) || state.Done != 1 || state.Running {
		t.Errorf("%+v", state)
	}
	if least := time.Duration(float64(state.Bytes)/(1<<20)*float64(time.Second)) - time.Second; slept < least {
		t.Errorf("it slept %v for %d bytes at 1 MiB/s", slept, state.Bytes)
	}

	b.Store.Close() // what it knows of the file ends with it
	b.flip(path, whole, 8*len(whole)/2)
	old := b.fileOf(other, history.ID, "data")
	b.flip(old, b.readFile(old), 4000)
	archive := filepath.Join(b.Dir, "objects", backup.Key)
	b.flip(archive, b.readFile(archive), 9000)
	b = reopen(t, b.Dir, storage.Options{})
	if err := b.Scrubs.Run(ctx, storage.ScrubPlan{}); err != nil {
		t.Fatal(err)
	}
	var commits []int64
	for _, found := range b.Damaged() {
		commits = append(commits, found.Commit)
	}
	slices.Sort(commits)
	if want := []int64{large.ID, history.ID, backup.CommitID}; !slices.Equal(commits, slices.Sorted(slices.Values(want))) {
		t.Errorf("it found %v, not %v", commits, want)
	}
	_, err := b.digest(d, "head")
	b.refused("records", err)
	if _, err := b.digest(other, "head"); err != nil {
		t.Errorf("what needs none of them: %v", err)
	}
	if err := b.Backups.Remove(ctx, backup, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.write(path, whole)
	if _, err := b.digest(d, "head"); err != nil {
		t.Errorf("put back: %v", err)
	}
	if list := b.Damaged(); len(list) != 1 {
		t.Errorf("left: %+v", list)
	}
}

// A scrub ends with its context, wherever it is.
func TestAScrubStops(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.Put(d, "append", intake.CSV, bulky(0, 1000, rand.New(rand.NewPCG(9, 9))))
	ctx, stop := context.WithCancel(context.Background())
	sleeps := func(ctx context.Context, _ time.Duration) error { stop(); return ctx.Err() }
	if err := b.Scrubs.Run(ctx, storage.ScrubPlan{Rate: 1, Sleep: sleeps}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if b.Scrubs.State().Running || b.Scrubs.State().Done != 0 || len(b.Damaged()) > 0 {
		t.Errorf("%+v, %v", b.Scrubs.State(), b.Damaged())
	}
}

// A check goes on where it meets damage: each dataset that has the damaged file is told of, a fork too, whether or not
// every byte is read.
func TestACheckGoesOnPastDamage(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d, other := b.Create("x", "id"), b.Create("y", "id")
	c := b.JSON(d, catalog.Append, `[{"id":1,"v":"text"}]`)
	f := b.MakeFork(d, "f", "head")
	b.JSON(other, catalog.Append, `[{"id":1}]`)
	path := b.fileOf(d, c.ID, "data")
	b.flip(path, b.readFile(path), 100)
	for _, deep := range []bool{false, true} {
		problems, err := b.Check(ctx, deep)
		if err != nil {
			t.Fatal(err)
		}
		told := map[string]bool{}
		for _, p := range problems {
			told[p.Dataset] = true
		}
		if !told[d] || !told[f] || told[other] {
			t.Errorf("deep %v: %v", deep, problems)
		}
	}
	if _, err := b.Check(ctx, false); err != nil {
		t.Error(err)
	}
	_, err := b.digest(d, "head")
	b.refused("after a check that did not read it whole", err)
}
