package storage_test

import (
	"fmt"
	"math"
	"math/rand/v2"
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
)

// smallCommits makes commits of one record each: appends, and changes of records that are there.
func (b *bench) smallCommits(dataset string, first, n int) {
	b.Helper()
	for i := first; i < first+n; i++ {
		b.json(dataset, catalog.Append, fmt.Sprintf(`[{"id": %d, "v": "made", "n": -0.0}]`, 1000+i))
		b.json(dataset, catalog.Upsert, fmt.Sprintf(`[{"id": %d, "v": "changed %d", "n": 0.0}]`, i%100, i))
	}
}

// withRecords is a dataset of a few thousand records.
func (b *bench) withRecords(name string) string {
	b.Helper()
	id := b.create(name, "id")
	var text strings.Builder
	text.WriteString("id,v,n\n")
	for i := range 500 {
		fmt.Fprintf(&text, "%d,v%d,%d.5\n", i, i, i)
	}
	b.put(id, catalog.Append, intake.CSV, text.String())
	return id
}

// everyState returns the records of every commit of a dataset.
func (b *bench) everyState(dataset string) map[string][]string {
	b.Helper()
	out := map[string][]string{}
	commits, err := b.Commits(b.Context(), dataset, math.MaxInt64, 100_000)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range commits {
		ref := fmt.Sprint(c.ID)
		out[ref] = b.rows(dataset, ref, true)
	}
	if len(out) == 0 {
		b.Fatal("no commits")
	}
	return out
}

func (b *bench) sameStates(dataset string, want map[string][]string) {
	b.Helper()
	for ref, rows := range want {
		if got := b.rows(dataset, ref, true); !slices.Equal(got, rows) {
			b.Errorf("at %s: %d records, not the %d that were there before", ref, len(got), len(rows))
		}
	}
}

func (b *bench) compact(dataset string) storage.Compacted {
	b.Helper()
	done, err := b.Upkeep.Compact(b.Context(), dataset)
	if err != nil {
		b.Fatal(err)
	}
	return done
}

func (b *bench) opens(dataset, ref string) int {
	b.Helper()
	s, err := b.Snapshot(b.Context(), dataset, ref)
	if err != nil {
		b.Fatal(err)
	}
	return len(s.Opens())
}

// eager are options with which few small files are compacted already.
var eager = storage.Options{Threads: 2, Compact: storage.CompactionPolicy{Fan: 2, LeastWorn: 1}}

// mayCompact compacts a dataset in every third step of a random history.
func (b *bench) mayCompact(random *rand.Rand, dataset string) {
	if random.IntN(3) == 0 {
		b.compact(dataset)
	}
}

// After many small commits, a read opens a bounded number of files, and every state is what it was: also after a
// restart, without the catalog, and without the compacted files.
func TestCompactionKeepsEveryState(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.withRecords("d")
	b.smallCommits(id, 0, 34)
	want := b.everyState(id)
	if n := b.opens(id, "head"); n < 68 {
		t.Fatalf("%d files are opened before", n)
	}
	done := b.compact(id)
	if done.Made < 2 || done.Files < 68 {
		t.Errorf("done: %+v", done)
	}
	if n := b.opens(id, "head"); n > 20 {
		t.Errorf("%d files are opened after", n)
	}
	b.sameStates(id, want)
	b.sound()
	if again := b.compact(id); again.Made != 0 {
		t.Errorf("compacted again: %+v", again)
	}
	b.smallCommits(id, 34, 20)
	want = b.everyState(id)
	b.compact(id)
	if n := b.opens(id, "head"); n > 20 {
		t.Errorf("%d files are opened after more commits", n)
	}
	b.sameStates(id, want)
	b.sound()

	b.Close()
	b = reopen(t, b.dir, storage.Options{})
	if n := b.opens(id, "head"); n > 20 {
		t.Errorf("%d files are opened after a restart", n)
	}
	b.sameStates(id, want)
	b.Close()
	for _, name := range []string{"catalog.db", "catalog.db-wal", "catalog.db-shm"} {
		os.Remove(filepath.Join(b.dir, name))
	}
	b = reopen(t, b.dir, storage.Options{})
	b.sameStates(id, want)
	if left, _ := filepath.Glob(filepath.Join(b.dir, "objects/*/compacted/*")); len(left) > 0 {
		t.Errorf("the catalog was lost, and these are left: %v", left)
	}
	b.compact(id)
	if n := b.opens(id, "head"); n > 20 {
		t.Errorf("%d files are opened after the catalog was lost", n)
	}
	b.sameStates(id, want)
	b.sound()
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
			want := b.everyState(id)
			b.compact(id)
			files, _ := filepath.Glob(filepath.Join(b.dir, "objects/*/compacted/*/*"))
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
			b.sameStates(id, want)
			if damaged := b.Damaged(); len(damaged) > 0 {
				t.Errorf("damaged: %+v", damaged)
			}
			if done := b.compact(id); done.Made < 2 {
				t.Errorf("made again: %+v", done)
			}
			if n := b.opens(id, "head"); n > 20 {
				t.Errorf("%d files are opened", n)
			}
			b.sameStates(id, want)
			b.sound()
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
	b.compact(id)
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
	b.put(id, catalog.Delete, intake.CSV, "id\n"+numbers(0, 200))
	b.put(id, catalog.Overwrite, intake.CSV, "id,v,n\n"+strings.ReplaceAll(numbers(200, 300), "\n", ",w,1\n"))
	want := b.everyState(id)
	if done := b.compact(id); done.Made != 1 || done.Rows != 200 {
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
	b.sameStates(id, want)
	// Where those rows are live again, the file does not stand in.
	commits, err := b.Commits(b.Context(), id, math.MaxInt64, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.rollback(id, commits[0].ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	if got := b.rows(id, "head", true); !slices.Equal(got, want[fmt.Sprint(commits[1].ID)]) {
		t.Errorf("after the rollback: %d records", len(got))
	}
	b.json(id, catalog.Upsert, `[{"id": 400, "v": "later"}]`)
	want = b.everyState(id)
	b.compact(id)
	b.sameStates(id, want)
	b.sound()
}

// numbers are lines with the numbers from one until just before another.
func numbers(from, until int) string {
	var out strings.Builder
	for i := from; i < until; i++ {
		fmt.Fprintln(&out, i)
	}
	return out.String()
}
