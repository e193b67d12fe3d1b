package storage_test

import (
	"cmp"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io/fs"
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
	"github.com/rowback/rowback/storage/storagetest"
)

// randomKey is a key of 32 characters, in no order.
func randomKey(i int) string { return fmt.Sprintf("%x", md5.Sum(fmt.Append(nil, i))) }

// withRandomKeys is a dataset of n records with such keys.
func (b *bench) withRandomKeys(name string, n int) string {
	b.Helper()
	id := b.Create(name, "id")
	b.Put(id, catalog.Append, intake.Parquet, b.parquetOf(fmt.Sprintf(
		"SELECT md5(i::VARCHAR) AS id, i AS n, 'v' || i AS v, i / 4.0 AS x FROM range(%d) t(i)", n)))
	return id
}

// parquetOf returns the bytes of a Parquet file with the rows of a query.
func (b *bench) parquetOf(query string) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "rows.parquet")
	conn, err := b.Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Exec(b.Context(), "COPY ("+query+") TO "+duck.Text(path)+" (FORMAT parquet)"); err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}

// record returns the record that has a key at a ref, as JSON; empty: there is none.
func (b *bench) record(dataset, ref, key string) string {
	b.Helper()
	s, err := b.Snapshot(b.Context(), dataset, ref)
	if err == nil {
		s, err = b.WithKey(b.Context(), s, key)
	}
	if err != nil {
		b.Fatal(err)
	}
	return strings.Join(b.read(s), "\n")
}

// read returns the records of a snapshot as JSON.
func (b *bench) read(s *snapshot.Snapshot) (out []string) {
	b.Helper()
	conn, err := b.Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	err = conn.Rows(b.Context(), "SELECT CAST(to_json(_row) AS VARCHAR) FROM ("+s.Table()+") _row",
		func(scan duck.Scan) error {
			var line string
			err := scan(&line)
			out = append(out, line)
			return err
		})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// filters returns the paths of the key filters.
func (b *bench) filters() (paths []string) {
	b.Helper()
	err := filepath.WalkDir(filepath.Join(b.Dir, "objects"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && filepath.Base(filepath.Dir(path)) == "filters" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return paths
}

// costs returns what returns what look-ups have read since it was asked last.
func (b *bench) costs() func() storage.LookupCost {
	seen := b.Lookups()
	return func() storage.LookupCost {
		now := b.Lookups()
		cost := storage.LookupCost{
			Files: now.Files - seen.Files, Groups: now.Groups - seen.Groups, Bytes: now.Bytes - seen.Bytes,
			Passed: now.Passed - seen.Passed, Compared: now.Compared - seen.Compared,
		}
		seen = now
		return cost
	}
}

// Without a filter, a random key is left to a statement. With one, a record is read, changed, found to be new, or
// removed by reading the row group that has it, seldom another, and one that is not there by reading none.
func TestALookupReadsTheRowGroupsThatMayHaveTheKey(t *testing.T) {
	b := open(t)
	const n = 400_000 // four row groups
	id := b.withRandomKeys("d", n)
	cost := b.costs()
	if got := b.record(id, "head", randomKey(77)); !strings.Contains(got, `"n":77,`) {
		t.Fatalf("without a filter: %s", got)
	}
	if c := cost(); c.Passed != 1 || c.Groups != 0 {
		t.Errorf("without a filter: %+v", c)
	}
	if done := b.CompactAll(id); done.Filters != 1 || len(b.filters()) != 1 {
		t.Fatalf("upkeep: %+v, filters %v", done, b.filters())
	}
	if again := b.CompactAll(id); again.Filters != 0 {
		t.Errorf("again: %+v", again)
	}
	cost()
	for i := range 20 {
		if got := b.record(id, "head", randomKey(i*19_999)); !strings.Contains(got, fmt.Sprintf(`"n":%d,`, i*19_999)) {
			t.Errorf("record %d: %s", i, got)
		}
	}
	size := b.dataBytes()
	if c := cost(); c.Groups > 23 || c.Passed > 0 || c.Bytes > 20*size/3 {
		t.Errorf("20 records of a file of %d bytes: %+v", size, c)
	}
	for i := range 100 {
		if got := b.record(id, "head", randomKey(n+i)); got != "" {
			t.Errorf("a record that is not there: %s", got)
		}
	}
	if c := cost(); c.Groups > 8 || c.Passed > 0 { // 100 keys, 4 groups, 1 in 256: 1.6
		t.Errorf("100 records that are not there: %+v", c)
	}
	// Appends of new keys, a change, a change of nothing, a delete, and an append that is refused.
	b.JSON(id, catalog.Append, fmt.Sprintf(`[{"id": %q, "n": -1}]`, randomKey(n)))
	b.JSON(id, catalog.Upsert,
		fmt.Sprintf(`[{"id": %q, "v": "changed"}, {"id": %q, "n": 5}]`, randomKey(3), randomKey(n+1)))
	b.JSON(id, catalog.Overwrite, fmt.Sprintf(`[{"id": %q, "n": 4, "v": "v4", "x": 1.0}]`, randomKey(4)))
	gone := b.JSON(id, catalog.Delete, fmt.Sprintf(`[{"id": %q}, {"id": %q}]`, randomKey(5), randomKey(n+7)))
	if gone.Removed != 1 {
		t.Errorf("removed: %d", gone.Removed)
	}
	if _, err := b.Try(id, catalog.Append, intake.JSON, fmt.Sprintf(`[{"id": %q, "n": 0}]`, randomKey(9))); err == nil {
		t.Error("a key that is live was appended")
	}
	if c := cost(); c.Groups > 24 || c.Passed > 0 {
		t.Errorf("five small commits: %+v", c)
	}
	for key, want := range map[int]string{
		3: `"v":"changed"`, n + 1: `"n":5`, n: `"n":-1`, 4: `"v":"v4","x":1.0`, 5: "", n + 7: "",
	} {
		if got := b.record(id, "head", randomKey(key)); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("record %d is %s", key, got)
		}
	}
	b.Sound()
}

// dataBytes returns the size of the largest object.
func (b *bench) dataBytes() (size int64) {
	b.Helper()
	err := filepath.WalkDir(filepath.Join(b.Dir, "objects"), func(path string, e fs.DirEntry, err error) error {
		if err == nil {
			info, _ := e.Info()
			size = max(size, info.Size())
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return size
}

// Keys that lie in order need no filter: statistics exclude the row groups.
func TestSortedKeysNeedNoFilter(t *testing.T) {
	b := open(t)
	id := b.Create("d", "id")
	b.Put(id, catalog.Append, intake.Parquet, b.parquetOf("SELECT i AS id, 'v' || i AS v FROM range(400_000) t(i)"))
	if done := b.CompactAll(id); done.Filters != 0 || len(b.filters()) != 0 {
		t.Errorf("upkeep: %+v", done)
	}
	cost := b.costs()
	b.JSON(id, catalog.Upsert, `[{"id": 0, "v": "first"}, {"id": 399999, "v": "last"}]`)
	if got := b.record(id, "head", "399999"); !strings.Contains(got, "last") {
		t.Error(got)
	}
	if c := cost(); c.Passed > 0 || c.Groups > 6 {
		t.Errorf("an upsert of two records, and a look at one: %+v", c)
	}
	b.Sound()
}

// A filter that was changed, cut, or is another file's is not used: no record is missed. Upkeep makes it again, and
// removes those of files that are gone. They are lost without harm.
func TestADamagedFilterIsNoticedAndMadeAgain(t *testing.T) {
	b := open(t)
	one, other := b.withRandomKeys("one", 20_000), b.withRandomKeys("other", 20_000)
	b.JSON(other, catalog.Append, `[{"id": "z", "n": 1}]`)
	if b.CompactAll(one).Filters+b.CompactAll(other).Filters != 2 {
		t.Fatal("two datasets do not get two filters")
	}
	paths := b.filters()
	sound, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := os.ReadFile(paths[1])
	if err != nil {
		t.Fatal(err)
	}
	dataset := filepath.Base(filepath.Dir(filepath.Dir(paths[0])))
	flipped := slices.Clone(sound)
	flipped[len(flipped)/2] ^= 4
	for name, data := range map[string][]byte{
		"changed": flipped, "cut": sound[:len(sound)/2], "another's": foreign, "empty": {}, "lost": nil,
	} {
		if data == nil {
			err = os.Remove(paths[0])
		} else {
			err = os.WriteFile(paths[0], data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		again := b.restart()
		for _, i := range []int{0, 7, 19_999} {
			if got := again.record(dataset, "head", randomKey(i)); !strings.Contains(got, fmt.Sprintf(`"n":%d,`, i)) {
				t.Errorf("%s: record %d is %q", name, i, got)
			}
		}
		if done := again.CompactAll(dataset); done.Filters != 1 {
			t.Errorf("%s: it is not made again: %+v", name, done)
		}
		if now, err := os.ReadFile(paths[0]); err != nil || !slices.Equal(now, sound) {
			t.Errorf("%s: it is not what it was: %v", name, err)
		}
		b = again
	}
	// Lost while the server runs and has it in memory.
	b.record(dataset, "head", randomKey(7))
	if err := os.Remove(paths[0]); err != nil {
		t.Fatal(err)
	}
	b.record(dataset, "head", randomKey(7))
	if done := b.CompactAll(dataset); done.Filters != 1 {
		t.Errorf("lost while it is in memory: it is not made again: %+v", done)
	}
	// Of a file that the catalog does not have.
	stray := filepath.Join(filepath.Dir(paths[0]), "data-999-"+strings.Repeat("0", 64))
	if err := os.WriteFile(stray, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	b = b.restart()
	if left := b.filters(); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
	b.Sound()
}

// restart closes the store and opens it again.
func (b *bench) restart() *bench {
	b.Helper()
	if err := b.Close(); err != nil {
		b.Fatal(err)
	}
	return reopen(b.T, b.Dir, storage.Options{})
}

// A crash at any step of making a filter leaves one that is whole, or none.
func TestACrashWhileAFilterIsMade(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.withRandomKeys("d", 5000)
	dir := b.Dir
	for step := 1; ; step++ {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		left := step
		crashing, err := storage.Open(t.Context(), dir, storage.Options{Threads: 2, Hook: func(string, string) error {
			if left--; left == 0 {
				return storagetest.ErrCrash
			}
			return nil
		}})
		if err != nil { // the start itself
			b = reopen(t, dir, storage.Options{})
			continue
		}
		_, err = crashing.Upkeep.Compact(t.Context(), id)
		crashing.Close() //nolint:errcheck // it crashed
		b = reopen(t, dir, storage.Options{})
		if got := b.record(id, "head", randomKey(4999)); !strings.Contains(got, `"n":4999,`) {
			t.Fatalf("step %d: %s", step, got)
		}
		if err == nil {
			if step < 4 || len(b.filters()) != 1 {
				t.Fatalf("%d steps, filters %v", step, b.filters())
			}
			break
		}
	}
	b.Sound()
}

const smallIntegers = "(i * 7919 % 100003)::INTEGER"

// Look-ups find what statements find: for keys of every kind, of one column and of two, after a key was renamed and
// widened, in forks, after rollbacks and compaction, with filters and without.
func TestLookupsFindWhatStatementsFind(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	keys := []string{
		smallIntegers, "md5(i::VARCHAR)", "md5(i::VARCHAR)::UUID",
		"DATE '1900-01-01' + (i * 7919 % 100003)::INTEGER",
		"(i * 7919 % 100003)::DECIMAL(9, 2) / 4", "(i * 7919 % 100003) / 3.0",
		"TIMESTAMP '1960-01-01' + to_milliseconds(i * 7919 % 100003)",
	}
	b := reopen(t, t.TempDir(), storagetest.Eager)
	for _, i := range random.Perm(len(keys))[:4] { // all types in some runs
		columns := 1 + random.IntN(2)
		r := &looker{bench: b, random: random, expr: keys[i], columns: columns}
		r.run(fmt.Sprintf("d%d-%d", i, columns))
	}
	b.Sound()
}

// looker makes a random history of a dataset, and looks records up.
type looker struct {
	*bench
	random  *rand.Rand
	expr    string
	columns int
	id      string
	name    string // of the first column of the key; empty: k
}

func (l *looker) key() []string { return []string{cmp.Or(l.name, "k"), "l"}[:l.columns] }

func (l *looker) run(name string) {
	l.id = l.Create(name, l.key()...)
	l.Put(l.id, catalog.Append, intake.Parquet, l.rowsOf("range(6000)"))
	for step := range 10 {
		l.step(step)
		switch step {
		case 4:
			l.CompactAll(l.id)
		case 6:
			l.changeKey()
		}
		if step%3 == 0 {
			l.same()
		}
	}
	l.CompactAll(l.id)
	cost := l.costs()
	l.same()
	if c := cost(); c.Groups == 0 || c.Passed > 0 {
		l.Errorf("keys of %s are not looked up: %+v", l.expr, c)
	}
}

// rowsOf returns records of some numbers.
func (l *looker) rowsOf(numbers string) string {
	return l.parquetOf(fmt.Sprintf("SELECT %s AS %s, (i %% 3)::TINYINT AS l, i AS n, 'v' || %d AS v FROM %s t(i)",
		l.expr, l.key()[0], l.random.IntN(100), numbers))
}

// changeKey renames the first column of the key, and widens integers: by a record that needs a wider one.
func (l *looker) changeKey() {
	l.Helper()
	name := "renamed"
	l.edit(l.id, l.key()[0], storage.VariableEdit{Name: &name})
	l.name = name
	if l.expr == smallIntegers {
		l.Put(l.id, catalog.Upsert, intake.Parquet, l.parquetOf("SELECT 5000000000 AS renamed, 1::TINYINT AS l, 7 AS n"))
	}
}

func (l *looker) step(step int) {
	l.Helper()
	n := l.random.IntN(6200)
	some := fmt.Sprintf("(SELECT i FROM range(%d, %d) s(i))", n, n+1+l.random.IntN(14))
	switch what := l.random.IntN(6); {
	case step == 5:
		fork, err := l.Fork(l.Context(), l.id, storage.NewFork{Name: l.id + " fork"}, storage.Request{})
		if err != nil {
			l.Fatal(err)
		}
		l.id = fork.Dataset.ID
	case what == 0:
		c := l.Put(l.id, catalog.Upsert, intake.Parquet, l.rowsOf(some))
		if _, err := l.TryRollback(l.id, c.ID, storage.Records); err != nil {
			l.Fatal(err)
		}
	case what == 1:
		l.Put(l.id, catalog.Delete, intake.Parquet, l.rowsOf(some))
	case what == 2:
		l.Put(l.id, catalog.Upsert, intake.Parquet, l.rowsOf(fmt.Sprintf("range(%d, %d)", n, n+700)))
	default:
		l.Put(l.id, []catalog.Mode{catalog.Upsert, catalog.Overwrite}[what%2], intake.Parquet, l.rowsOf(some))
	}
}

// same compares looked-up records with those that a statement finds.
func (l *looker) same() {
	l.Helper()
	s, err := l.Snapshot(l.Context(), l.id, "head")
	if err != nil {
		l.Fatal(err)
	}
	all := map[string]string{}
	for _, line := range l.Rows(l.id, "head", true) {
		all[l.keyIn(line)] = line
	}
	for range 12 {
		n := l.random.IntN(6400)
		for _, line := range l.queried(fmt.Sprintf("SELECT %s AS %s, (i %% 3)::TINYINT AS l, 0 AS n FROM range(%d, %d) t(i)",
			l.expr, l.key()[0], n, n+1)) {
			key := l.keyIn(line)
			found, err := l.WithKey(l.Context(), s, key)
			if err != nil {
				l.Fatal(err)
			}
			if got := strings.Join(l.read(found), "\n"); got != all[key] {
				l.Errorf("%s of %s: looked up %q, not %q", key, l.expr, got, all[key])
			}
		}
	}
}

// queried returns the rows of a query as JSON.
func (l *looker) queried(query string) (out []string) {
	l.Helper()
	conn, err := l.Conn(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	defer conn.Close()
	err = conn.Rows(l.Context(), "SELECT CAST(to_json(r) AS VARCHAR) FROM ("+query+") r", func(scan duck.Scan) error {
		var line string
		err := scan(&line)
		out = append(out, line)
		return err
	})
	if err != nil {
		l.Fatal(err)
	}
	return out
}

// keyIn returns the key in a record.
func (l *looker) keyIn(record string) string {
	var values map[string]json.RawMessage
	if err := json.Unmarshal([]byte(record), &values); err != nil {
		l.Fatal(err)
	}
	key := map[string]json.RawMessage{}
	for _, c := range l.key() {
		key[c] = values[c]
	}
	return storagetest.ToJSON(key)
}

// The history of a record of random keys is found by its filter, and read from the row groups that have its rows.
func TestTheHistoryOfARecordIsLookedUp(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.withRandomKeys("d", 300_000)
	b.JSON(id, catalog.Upsert, fmt.Sprintf(`[{"id": %q, "v": "changed"}]`, randomKey(250_000)))
	b.JSON(id, catalog.Delete, fmt.Sprintf(`[{"id": %q}]`, randomKey(250_000)))
	ask := func(key string) string {
		list, _, err := b.RecordHistory(b.Context(), storage.RecordQuery{Dataset: id, Ref: "head", Key: key, Limit: 10})
		if err != nil {
			return err.Error()
		}
		return storagetest.ToJSON(list)
	}
	before := ask(randomKey(250_000))
	if b.CompactAll(id).Filters != 1 {
		t.Fatal("no filter was made")
	}
	cost := b.costs()
	if after := ask(randomKey(250_000)); after != before || strings.Count(after, "Commit") != 3 {
		t.Errorf("with a filter: %s\nwithout: %s", after, before)
	}
	if c := cost(); c.Groups < 1 || c.Groups > 2 {
		t.Errorf("it reads the keys of %d row groups", c.Groups)
	}
	if got := ask(randomKey(300_000)); !strings.Contains(got, "has never had") {
		t.Error(got)
	}
	if c := cost(); c.Groups > 1 {
		t.Errorf("a record that was never there: %+v", c)
	}
}

// On a full disk no filter is made, nothing else fails, and records are found as before.
func TestNoRoomForAFilter(t *testing.T) {
	full := false
	b := reopen(t, t.TempDir(), storage.Options{MinFree: 1 << 20, Free: func(string) (int64, error) {
		if full {
			return 1 << 20, nil
		}
		return 1 << 40, nil
	}})
	id := b.withRandomKeys("d", 5000)
	full = true
	if _, err := b.Upkeep.Compact(b.Context(), id); err == nil || len(b.filters()) > 0 {
		t.Errorf("upkeep on a full disk: %v, filters %v", err, b.filters())
	}
	if got := b.record(id, "head", randomKey(1)); !strings.Contains(got, `"n":1,`) {
		t.Error(got)
	}
	full = false
	if b.CompactAll(id).Filters != 1 {
		t.Error("no filter was made once there was room")
	}
	b.Sound()
}
