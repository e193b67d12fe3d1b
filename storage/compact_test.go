package storage_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/storagetest"
)

// smallCommits makes commits of one record each: appends, and changes of records that are there.
func (b *bench) smallCommits(dataset string, first, n int) {
	b.Helper()
	for i := first; i < first+n; i++ {
		b.JSON(dataset, catalog.Append, fmt.Sprintf(`[{"id": %d, "v": "made", "n": -0.0}]`, 1000+i))
		b.JSON(dataset, catalog.Upsert, fmt.Sprintf(`[{"id": %d, "v": "changed %d", "n": 0.0}]`, i%100, i))
	}
}

// withRecords is a dataset of a few thousand records.
func (b *bench) withRecords(name string) string {
	b.Helper()
	id := b.Create(name, "id")
	var text strings.Builder
	text.WriteString("id,v,n\n")
	for i := range 500 {
		fmt.Fprintf(&text, "%d,v%d,%d.5\n", i, i, i)
	}
	b.Put(id, catalog.Append, intake.CSV, text.String())
	return id
}

// After many small commits, a read opens a bounded number of files, and every state is what it was: also after a
// restart, without the catalog, and without the compacted files.
func TestCompactionKeepsEveryState(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.withRecords("d")
	b.smallCommits(id, 0, 34)
	want := b.EveryState(id)
	if n := b.Opens(id, "head"); n < 68 {
		t.Fatalf("%d files are opened before", n)
	}
	done := b.CompactAll(id)
	if done.Made < 2 || done.Files < 68 {
		t.Errorf("done: %+v", done)
	}
	if n := b.Opens(id, "head"); n > 20 {
		t.Errorf("%d files are opened after", n)
	}
	b.SameStates(id, want)
	b.Sound()
	if again := b.CompactAll(id); again.Made != 0 {
		t.Errorf("compacted again: %+v", again)
	}
	b.smallCommits(id, 34, 20)
	want = b.EveryState(id)
	b.CompactAll(id)
	if n := b.Opens(id, "head"); n > 20 {
		t.Errorf("%d files are opened after more commits", n)
	}
	b.SameStates(id, want)
	b.Sound()

	b.Close()
	b = reopen(t, b.Dir, storage.Options{})
	if n := b.Opens(id, "head"); n > 20 {
		t.Errorf("%d files are opened after a restart", n)
	}
	b.SameStates(id, want)
	b.Close()
	for _, name := range []string{"catalog.db", "catalog.db-wal", "catalog.db-shm"} {
		os.Remove(filepath.Join(b.Dir, name))
	}
	b = reopen(t, b.Dir, storage.Options{})
	b.SameStates(id, want)
	if left, _ := filepath.Glob(filepath.Join(b.Dir, "objects/*/compacted/*")); len(left) > 0 {
		t.Errorf("the catalog was lost, and these are left: %v", left)
	}
	b.CompactAll(id)
	if n := b.Opens(id, "head"); n > 20 {
		t.Errorf("%d files are opened after the catalog was lost", n)
	}
	b.SameStates(id, want)
	b.Sound()
}

// A compacted file that is damaged or missing is not read: what it was made of is. Upkeep makes another.
func TestDamagedCompactedFiles(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"missing":   os.Remove,
		"truncated": func(path string) error { return os.Truncate(path, 100) },
		"flipped": func(path string) error {
			text, err := os.ReadFile(path)
			if err == nil {
				text[len(text)/2] ^= 1
				err = os.WriteFile(path, text, 0o600)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			id := b.withRecords("d")
			b.smallCommits(id, 0, 18)
			want := b.EveryState(id)
			b.CompactAll(id)
			files, _ := filepath.Glob(filepath.Join(b.Dir, "objects/*/compacted/*/*"))
			if len(files) < 2 {
				t.Fatalf("compacted: %v", files)
			}
			old, err := b.Snapshot(b.Context(), id, "head") // by a reader that has yet to open them
			if err != nil {
				t.Fatal(err)
			}
			sql := old.Table()
			for _, f := range files {
				if err := damage(f); err != nil {
					t.Fatal(err)
				}
			}
			conn, err := b.Conn(b.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			var n int64
			err = conn.Row(b.Context(), "SELECT count(*) FROM ("+sql+")", &n)
			if err == nil || !strings.Contains(err.Error(), "Send the request again") {
				t.Errorf("a statement on what is lost: %d records, %v", n, err)
			}
			b.SameStates(id, want)
			if damaged := b.Damaged(); len(damaged) > 0 {
				t.Errorf("damaged: %+v", damaged)
			}
			if done := b.CompactAll(id); done.Made < 2 {
				t.Errorf("made again: %+v", done)
			}
			if n := b.Opens(id, "head"); n > 20 {
				t.Errorf("%d files are opened", n)
			}
			b.SameStates(id, want)
			b.Sound()
		})
	}
}

// What two states do not share is read from compacted files too, and costs what changed.
func TestComparingAcrossCompaction(t *testing.T) {
	b := open(t)
	id := b.withRecords("d")
	b.smallCommits(id, 0, 40)
	commits, err := b.Commits(b.Context(), id, math.MaxInt64, 1000)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(commits)
	pairs := [][2]int{{0, len(commits) - 1}, {10, 11}, {5, 60}, {60, 5}, {30, 70}}
	differs := func(pair [2]int) (list []string, opens int) {
		a, errA := b.Snapshot(b.Context(), id, fmt.Sprint(commits[pair[0]].ID))
		c, errC := b.Snapshot(b.Context(), id, fmt.Sprint(commits[pair[1]].ID))
		conn, err := b.Conn(b.Context())
		if errA != nil || errC != nil || err != nil {
			t.Fatal(errA, errC, err)
		}
		defer conn.Close()
		d := snapshot.Diff(a, c)
		sql, _, err := d.Records()
		if err != nil {
			t.Fatal(err)
		}
		err = conn.Rows(b.Context(), "SELECT CAST(to_json(d) AS VARCHAR) FROM ("+sql+") d", func(scan duck.Scan) error {
			var line string
			err := scan(&line)
			list = append(list, line)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return list, len(d.Opens())
	}
	want := map[[2]int][]string{}
	for _, p := range pairs {
		want[p], _ = differs(p)
	}
	b.CompactAll(id)
	for _, p := range pairs {
		got, opens := differs(p)
		if !slices.Equal(got, want[p]) {
			t.Errorf("from %v: %d differences, not %d", p, len(got), len(want[p]))
		}
		if opens > 20 {
			t.Errorf("from %v: %d files are opened", p, opens)
		}
	}
	if _, opens := differs([2]int{10, 11}); opens > 3 {
		t.Errorf("comparing neighbours opens %d files", opens)
	}
}

// The live rows of a worn file get a file of their own, which the states that displaced the others read alone.
func TestWornFiles(t *testing.T) {
	b := open(t)
	id := b.withRecords("d")
	b.Put(id, catalog.Delete, intake.CSV, "id\n"+storagetest.Numbers(0, 200))
	b.Put(id, catalog.Overwrite, intake.CSV, "id,v,n\n"+strings.ReplaceAll(storagetest.Numbers(200, 300), "\n", ",w,1\n"))
	want := b.EveryState(id)
	if done := b.CompactAll(id); done.Made != 1 || done.Rows != 200 {
		t.Errorf("done: %+v", done)
	}
	s, err := b.Snapshot(b.Context(), id, "head")
	if err != nil {
		t.Fatal(err)
	}
	// The order of the records stays: of two pages of a state, one may have been read before it was compacted.
	if len(s.Opens()) != 2 || s.Order() != s.ByKey() {
		t.Errorf("%d files are opened%s", len(s.Opens()), s.Order())
	}
	b.SameStates(id, want)
	// Where those rows are live again, the file does not stand in.
	commits, err := b.Commits(b.Context(), id, math.MaxInt64, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.TryRollback(id, commits[0].ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	if got := b.Rows(id, "head", true); !slices.Equal(got, want[fmt.Sprint(commits[1].ID)]) {
		t.Errorf("after the rollback: %d records", len(got))
	}
	b.JSON(id, catalog.Upsert, `[{"id": 400, "v": "later"}]`)
	want = b.EveryState(id)
	b.CompactAll(id)
	b.SameStates(id, want)
	b.Sound()
}
