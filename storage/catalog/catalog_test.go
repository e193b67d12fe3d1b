package catalog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/schema"
)

// fixture is an open catalog with a dataset "d" in project 1.
type fixture struct {
	*testing.T
	*Catalog
	schemaID, propertiesID string
}

var start = time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)

func open(t *testing.T) *fixture {
	t.Helper()
	if onPostgres(t) {
		return openURL(t, newDatabase(t))
	}
	return openAt(t, filepath.Join(t.TempDir(), "catalog.db"))
}

func noHook(string) error { return nil }

func openAt(t *testing.T, path string) *fixture {
	t.Helper()
	c, err := Open(t.Context(), path, noHook)
	return opened(t, c, err)
}

func opened(t *testing.T, c *Catalog, err error) *fixture {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	f := &fixture{T: t, Catalog: c}
	f.must(func(tx Tx) (err error) {
		columns := []schema.Column{{ID: 1, Name: "id", Type: schema.Of(schema.Bigint)}}
		if f.schemaID, err = tx.AddDocument(schema.Schema{Columns: columns, Key: []int{1}}); err != nil {
			return err
		}
		if f.propertiesID, err = tx.AddDocument(Properties{Name: "people"}); err != nil {
			return err
		}
		return tx.AddFamily("f")
	})
	return f
}

// must runs do in a transaction that must be committed.
func (f *fixture) must(do func(Tx) error) {
	f.Helper()
	if err := f.Write(f.Context(), do); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) dataset(id, name string) Dataset {
	return Dataset{
		ID: id, FamilyID: "f", ProjectID: 1, Name: name, SchemaID: f.schemaID, PropertiesID: f.propertiesID, CreatedAt: start,
	}
}

// commit returns a commit of dataset "d" that follows the one with the id before it.
func (f *fixture) commit(id int64, mode Mode) Commit {
	return Commit{
		DatasetID: "d", ID: id, Previous: id - 1, Mode: mode, User: "ada",
		CreatedAt: start.Add(time.Duration(id) * time.Hour),
		Hash:      "hash" + string(rune('0'+id)), RowTag: id, Metadata: []byte(`{}`), Params: []byte(`{"n":1}`),
		SchemaID: f.schemaID, PropertiesID: f.propertiesID,
	}
}

// history adds dataset "d" with four commits: file 1 is live from commit 1 to 3, file 2 from commit 2 on, and file 3, a
// rollback file, from commit 3 on. Commit 4 opens and closes nothing.
func (f *fixture) history() {
	f.Helper()
	f.must(func(tx Tx) error {
		d := f.dataset("d", "people")
		d.Head = 4
		if err := tx.AddDataset(d); err != nil {
			return err
		}
		for id := int64(1); id <= 4; id++ {
			if err := tx.AddCommit(f.commit(id, []Mode{Append, Append, Upsert, Rollback}[id-1])); err != nil {
				return err
			}
		}
		for id := int64(1); id <= 3; id++ {
			file := &File{ID: id, DatasetID: "d", CommitID: id, Kind: schema.Data, Key: "k", SchemaID: f.schemaID}
			if id == 3 {
				file.Kind, file.Targets = schema.Rollback, map[int64]int64{1: 2}
				file.Bounds = &Bounds{Least: "1", Greatest: "9"}
			}
			if err := errors.Join(tx.AddFile(file), tx.OpenEntry("d", id, id)); err != nil {
				return err
			}
		}
		return errors.Join(tx.CloseEntry("d", 1, 3), tx.Advance(CommitIDs, 4))
	})
}

func ids[T any](list []T, id func(T) int64) []int64 {
	out := []int64{}
	for _, v := range list {
		out = append(out, id(v))
	}
	return out
}

func fileID(f *File) int64    { return f.ID }
func commitID(c Commit) int64 { return c.ID }

func (f *fixture) want(what string, got, want []int64, err error) {
	f.Helper()
	if err != nil || !reflect.DeepEqual(got, want) {
		f.Errorf("%s: %v, not %v (%v)", what, got, want, err)
	}
}

// An entry makes a file live from its begin until just before its end.
func TestLiveFiles(t *testing.T) {
	f := open(t)
	f.history()
	f.must(func(tx Tx) error {
		for commit, want := range [][]int64{{}, {1}, {1, 2}, {2, 3}, {2, 3}} {
			files, err := tx.Files("d", int64(commit))
			f.want("live", ids(files, fileID), want, err)
			only, err := tx.FileIDs("d", int64(commit))
			f.want("ids of live files", only, want, err)
		}
		for _, c := range []struct {
			first, last    int64
			opened, closed []int64
		}{
			{1, 1, []int64{1}, []int64{}},
			{2, 3, []int64{2, 3}, []int64{1}},
			{1, 3, []int64{2, 3}, []int64{}}, // file 1 was opened and closed in between
			{4, 4, []int64{}, []int64{}},
		} {
			opened, err := tx.Opened("d", c.first, c.last)
			f.want("opened", ids(opened, fileID), c.opened, err)
			closed, err := tx.Closed("d", c.first, c.last)
			f.want("closed", ids(closed, fileID), c.closed, err)
		}
		all, err := tx.AllFiles("d")
		f.want("all", ids(all, fileID), []int64{1, 2, 3}, err)
		after, err := tx.FilesAfter(1, 1)
		f.want("after file 1", ids(after, fileID), []int64{2}, err)
		if err := tx.CloseEntry("d", 1, 4); !errors.Is(err, ErrNotFound) {
			t.Errorf("an entry was closed twice: %v", err)
		}
		return nil
	})
}

func TestRowsRoundTrip(t *testing.T) {
	f := open(t)
	f.history()
	f.must(func(tx Tx) error {
		c, err := tx.Commit("d", 3)
		if want := f.commit(3, Upsert); err != nil || !reflect.DeepEqual(c, want) {
			t.Errorf("commit: %+v, not %+v (%v)", c, want, err)
		}
		file, err := tx.File(3)
		if err != nil || file.Targets[1] != 2 || *file.Bounds != (Bounds{"1", "9"}) || file.Kind != schema.Rollback {
			t.Errorf("file: %+v, %v", file, err)
		}
		d, err := tx.DatasetByName(1, "people")
		want := f.dataset("d", "people")
		want.Head = 4
		if err != nil || d != want {
			t.Errorf("dataset: %+v, not %+v (%v)", d, want, err)
		}
		p, err := tx.Properties(d.PropertiesID)
		if err != nil || p.Name != "people" {
			t.Errorf("properties: %+v, %v", p, err)
		}
		s, err := tx.Schema(d.SchemaID)
		if err != nil || len(s.Columns) != 1 || !s.Keyed() {
			t.Errorf("schema: %+v, %v", s, err)
		}
		return nil
	})
}

func TestCommitsAreSelected(t *testing.T) {
	f := open(t)
	f.history()
	f.must(func(tx Tx) error {
		played := f.commit(5, Append)
		played.MergeCommitID = 6
		merge := f.commit(6, Merge)
		if err := errors.Join(tx.AddCommit(played), tx.AddCommit(merge), tx.SetRollback("d", 2, 4)); err != nil {
			return err
		}
		list, err := tx.Commits("d", 1<<62, 3)
		f.want("newest first, without those that merges played", ids(list, commitID), []int64{6, 4, 3}, err)
		list, err = tx.Commits("d", 3, 9)
		f.want("before commit 3", ids(list, commitID), []int64{2, 1}, err)
		list, err = tx.Played("d", 6)
		f.want("played", ids(list, commitID), []int64{5}, err)
		list, err = tx.Standing("d", Append)
		f.want("not undone", ids(list, commitID), []int64{1, 5}, err)
		list, err = tx.Rollbacks("d")
		f.want("rollbacks", ids(list, commitID), []int64{4}, err)
		list, err = tx.CommitsAfter("d", 4)
		f.want("after commit 4", ids(list, commitID), []int64{5, 6}, err)
		list, err = tx.WithHash("d", "hash3")
		f.want("with a hash", ids(list, commitID), []int64{3}, err)
		list, err = tx.Unshared("d", "other")
		f.want("unshared", ids(list, commitID), []int64{1, 2, 3, 4, 5, 6}, err)
		at, err := tx.CommitAt("d", start.Add(2*time.Hour))
		f.want("at the time of a commit", []int64{at.ID}, []int64{2}, err)
		if _, err = tx.CommitAt("d", start); !errors.Is(err, ErrNotFound) {
			t.Errorf("a commit before the first: %v", err)
		}
		return nil
	})
}

// A fork inherits what was live and played at its fork commit, and nothing of what came later.
func TestInherit(t *testing.T) {
	f := open(t)
	f.history()
	f.must(func(tx Tx) error {
		fork := f.dataset("e", "fork")
		fork.UpstreamID, fork.ForkCommit, fork.Head = "d", 2, 2
		if err := errors.Join(tx.SetRollback("d", 2, 4), tx.AddDataset(fork)); err != nil {
			return err
		}
		list, err := tx.CommitsAfter("e", 0)
		f.want("commits", ids(list, commitID), []int64{1, 2}, err)
		own, err := tx.CommitIDs("e")
		f.want("commits of its own", own, []int64{}, err)
		files, err := tx.FileIDs("e", 2)
		f.want("live files", files, []int64{1, 2}, err)
		files, err = tx.FileIDs("e", 9)
		f.want("live files later", files, []int64{1, 2}, err) // commit 3 closed file 1 in the upstream only
		c, err := tx.Commit("e", 2)
		if err != nil || c.RollbackCommitID != 0 {
			t.Errorf("a later rollback was inherited: %+v, %v", c, err)
		}
		shared, err := tx.Unshared("d", "e")
		f.want("unshared", ids(shared, commitID), []int64{3, 4}, err)
		forks, err := tx.Forks("d")
		if err != nil || len(forks) != 1 || !forks[0].IsFork() {
			t.Errorf("forks: %+v, %v", forks, err)
		}
		return nil
	})
}

func TestAHeadMovesByCompareAndSwap(t *testing.T) {
	f := open(t)
	f.history()
	stale := func(tx Tx) error { return tx.MoveHead("d", 3, 5, "people") }
	if err := f.Write(t.Context(), stale); !errors.Is(err, ErrMoved) {
		t.Errorf("a stale head was replaced: %v", err)
	}
	f.must(func(tx Tx) error { return tx.MoveHead("d", 4, 5, "renamed") })
	f.must(func(tx Tx) error {
		d, err := tx.DatasetByName(1, "renamed")
		if err != nil || d.Head != 5 {
			t.Errorf("%+v, %v", d, err)
		}
		return nil
	})
}

// A name belongs to one dataset of a project, unless the others are deleted or namesakes.
func TestNamesAreUnique(t *testing.T) {
	f := open(t)
	f.must(func(tx Tx) error { return tx.AddDataset(f.dataset("d", "people")) })
	again := f.dataset("e", "people")
	err := f.Write(t.Context(), func(tx Tx) error { return tx.AddDataset(again) })
	if !IsDuplicate(err) || !IsConstraint(err) {
		t.Errorf("a second dataset of that name: %v", err)
	}
	again.IsNamesake = true
	f.must(func(tx Tx) error { return tx.AddDataset(again) })
	f.must(func(tx Tx) error { return tx.SetDeleted("d", start) })
	f.must(func(tx Tx) error {
		if _, err := tx.DatasetByName(1, "people"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a deleted dataset or a namesake was found by its name: %v", err)
		}
		return tx.AddDataset(f.dataset("g", "people"))
	})
	f.must(func(tx Tx) error {
		deleted, err := tx.Datasets(DatasetFilter{Deleted: true, Limit: 9})
		if err != nil || len(deleted) != 1 || deleted[0].ID != "d" {
			t.Errorf("deleted: %+v, %v", deleted, err)
		}
		others, err := tx.Datasets(DatasetFilter{Project: 1, After: "e", Limit: 9})
		if err != nil || len(others) != 1 || others[0].ID != "g" {
			t.Errorf("after e: %+v, %v", others, err)
		}
		return nil
	})
}

func TestTryUndoesOnlyItsOwnPart(t *testing.T) {
	f := open(t)
	refused := errors.New("refused")
	f.must(func(tx Tx) error {
		if err := tx.AddDataset(f.dataset("d", "people")); err != nil {
			return err
		}
		err := tx.Try(func() error { return errors.Join(tx.AddDataset(f.dataset("e", "other")), refused) })
		if !errors.Is(err, refused) {
			t.Errorf("the error is %v", err)
		}
		return tx.Try(func() error { return tx.AddDataset(f.dataset("g", "third")) })
	})
	f.must(func(tx Tx) error {
		list, err := tx.Datasets(DatasetFilter{Limit: 9})
		if err != nil || len(list) != 2 || list[0].ID != "d" || list[1].ID != "g" {
			t.Errorf("%+v, %v", list, err)
		}
		return nil
	})
}

// A failure before the commit leaves nothing; one after it leaves an outcome that the caller can't know.
func TestAFailureAtTheEndOfATransaction(t *testing.T) {
	fault := errors.New("the disk failed")
	for _, at := range []string{"commit", "committed"} {
		f := open(t)
		f.hook = func(op string) error {
			if op == at {
				return fault
			}
			return nil
		}
		err := f.Write(t.Context(), func(tx Tx) error { return tx.AddDataset(f.dataset("d", "people")) })
		if !errors.Is(err, fault) || errors.Is(err, ErrUncertain) != (at == "committed") {
			t.Errorf("at %s: %v", at, err)
		}
		f.hook = func(string) error { return nil }
		f.must(func(tx Tx) error {
			if _, err := tx.Dataset("d"); errors.Is(err, ErrNotFound) != (at == "commit") {
				t.Errorf("at %s: the row is there: %v", at, err)
			}
			return nil
		})
	}
}

// The first answer to a key is kept, in the same bytes whether it was indented or not.
func TestReceipts(t *testing.T) {
	f := open(t)
	f.must(func(tx Tx) error {
		first := Receipt{User: "ada", Key: "k", Fingerprint: "p", Answer: []byte("{\n  \"a\": 1\n}"), CreatedAt: start}
		second := first
		second.Answer = []byte(`{"a":2}`)
		return errors.Join(tx.AddReceipt(first), tx.AddReceipt(second))
	})
	f.must(func(tx Tx) error {
		r, err := tx.Receipt("ada", "k")
		if err != nil || string(r.Answer) != `{"a":1}` || r.Fingerprint != "p" || !r.CreatedAt.Equal(start) {
			t.Errorf("%+v, %v", r, err)
		}
		if _, err := tx.Receipt("ben", "k"); !errors.Is(err, ErrNotFound) {
			t.Errorf("another user's key: %v", err)
		}
		if err := tx.ForgetReceipts(start); err != nil {
			return err
		}
		if _, err := tx.Receipt("ada", "k"); err != nil {
			t.Errorf("a receipt from the limit itself was forgotten: %v", err)
		}
		if err := tx.ForgetReceipts(start.Add(time.Second)); err != nil {
			return err
		}
		if _, err := tx.Receipt("ada", "k"); !errors.Is(err, ErrNotFound) {
			t.Errorf("an old receipt was not forgotten: %v", err)
		}
		return nil
	})
}

func TestUnfinishedJobsFail(t *testing.T) {
	f := open(t)
	f.must(func(tx Tx) error {
		for id, progress := range map[string]int{"new": 0, "half": 50, "done": JobDone, "failed": JobFailed} {
			if err := tx.AddJob(Job{ID: id, Progress: progress, Answer: []byte("null"), CreatedAt: start}); err != nil {
				return err
			}
		}
		other := Job{ID: "another server's", Server: 7, Answer: []byte("null"), Promised: []Receipt{{Key: "k"}}}
		return errors.Join(tx.AddJob(other), tx.FailJobs(0, "interrupted", start))
	})
	f.must(func(tx Tx) error {
		for id, want := range map[string]string{"new": "interrupted", "half": "interrupted", "done": "", "failed": ""} {
			j, err := tx.Job(id)
			if err != nil || j.Message != want || j.Progress != map[bool]int{true: JobDone, false: JobFailed}[id == "done"] {
				t.Errorf("%s: %+v, %v", id, j, err)
			}
		}
		other, err := tx.Job("another server's")
		if err != nil || other.Progress != 0 || other.Server != 7 || len(other.Promised) != 1 {
			t.Errorf("the job of another server: %+v, %v", other, err)
		}
		if of, err := tx.JobServers(); err != nil || !slices.Equal(of, []int64{7}) {
			t.Errorf("the jobs are of %v, %v", of, err)
		}
		return nil
	})
}

// Every change of a dataset has a number, and who has read up to one finds those after it.
func TestChangesAreNumbered(t *testing.T) {
	f := open(t)
	f.must(func(tx Tx) error {
		return errors.Join(tx.AddDataset(f.dataset("d", "people")), tx.AddDataset(f.dataset("e", "others")))
	})
	var from int64
	since := func(limit int, want ...string) {
		t.Helper()
		f.must(func(tx Tx) error {
			got, last, err := tx.ChangedSince(from, limit)
			if err != nil || !slices.Equal(got, want) || (last > from) != (len(want) > 0) {
				t.Errorf("changed: %v, up to %d, and not %v (%v)", got, last, want, err)
			}
			from = last
			return nil
		})
	}
	since(1, "d")
	since(9, "e")
	since(9)
	f.must(func(tx Tx) error {
		return errors.Join(tx.Touch("d"), tx.Touch("e"), tx.Touch("d"), tx.Touch("nothing"))
	})
	since(9, "e", "d")
	f.must(func(tx Tx) error {
		if last, err := tx.LastChange(); err != nil || last != from {
			t.Errorf("the last is %d, not %d, %v", last, from, err)
		}
		return tx.MoveHead("e", 0, 0, "others")
	})
	since(9, "e")
}

// Numbers that were drawn and not recorded are drawn again after a restart, and never before.
func TestSequences(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	f := openAt(t, path)
	draw := func(f *fixture, n int64) int64 {
		first, err := f.Draw(t.Context(), "", FileIDs, n)
		if err != nil {
			t.Fatal(err)
		}
		return first
	}
	if a, b := draw(f, 3), draw(f, 1); a != 1 || b != 4 {
		t.Errorf("drew %d and %d", a, b)
	}
	f.must(func(tx Tx) error { return errors.Join(tx.Advance(FileIDs, 3), tx.Advance(FileIDs, 2)) })
	f.Close()
	if n := draw(openAt(t, path), 1); n != 4 {
		t.Errorf("after a restart %d is drawn", n)
	}
}

// Waiters get a lock in the order of their arrival; one that gives up is skipped.
func TestLocksAreFirstInFirstOut(t *testing.T) {
	f := open(t)
	unlock, err := f.Lock(t.Context(), "head")
	if err != nil || !f.IsLocked(t.Context(), "head") || f.IsLocked(t.Context(), "other") {
		t.Fatal("the lock is not held", err)
	}
	impatient, leave := context.WithCancelCause(t.Context())
	gone, order, left := errors.New("gone"), make(chan int, 3), make(chan error)
	wait := func(ctx context.Context, n int) {
		unlock, err := f.Lock(ctx, "head")
		if err != nil {
			left <- err
			return
		}
		order <- n
		unlock()
	}
	for n, ctx := range []context.Context{t.Context(), impatient, t.Context()} {
		go wait(ctx, n)
		queued(f, n+2) // the holder and those before
	}
	leave(gone)
	if err := <-left; !errors.Is(err, gone) {
		t.Errorf("the one that gave up got %v", err)
	}
	unlock()
	if a, b := <-order, <-order; a != 0 || b != 2 {
		t.Errorf("%d came before %d", a, b)
	}
}

// queued waits until so many hold or want the lock head.
func queued(f *fixture, n int) {
	for f.Queued("head") < n {
		runtime.Gosched()
	}
}

// A lock that is joined goes from one to the next with what is handed over, up to one that does not join. One that
// gives up never keeps what was handed over.
func TestALockIsHandedOn(t *testing.T) {
	f := open(t)
	first, err := f.Join(t.Context(), "head")
	if err != nil || first.Handed() != nil || first.Hand("too early") {
		t.Fatalf("got %v, %v", first.Handed(), err)
	}
	impatient, leave := context.WithCancel(t.Context())
	turns, gone := make(chan *Turn, 2), make(chan error)
	join := func(ctx context.Context) {
		turn, err := f.Join(ctx, "head")
		if err != nil {
			gone <- err
			return
		}
		turns <- turn
	}
	go join(impatient)
	queued(f, 2)
	go join(t.Context())
	queued(f, 3)
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the one that gave up got %v", err)
	}
	if !first.Hand("work") {
		t.Fatal("no one took it")
	}
	second := <-turns
	if second.Handed() != "work" || f.Queued("head") != 1 {
		t.Errorf("%v was handed over; %d are in the queue", second.Handed(), f.Queued("head"))
	}
	first.Leave() // it has not held the lock since
	plain := make(chan func())
	go func() {
		unlock, err := f.Lock(t.Context(), "head")
		if err != nil {
			t.Error(err)
		}
		plain <- unlock
	}()
	queued(f, 2)
	if second.Hand("work") {
		t.Error("one that does not join took it")
	}
	second.Leave()
	(<-plain)()
	if f.IsLocked(t.Context(), "head") {
		t.Error("someone holds the lock")
	}
}

// A catalog whose rows contradict each other is damaged, although SQLite finds nothing wrong with it.
func TestDamage(t *testing.T) {
	for name, harm := range map[string]string{
		"":                                      `SELECT 1`,
		"the heads are not the newest commits":  `UPDATE datasets SET head = 3`,
		"the commits do not follow one another": `UPDATE commits SET previous = 1 WHERE id = 3`,
		"there are commits with ids past the recorded sequence": `UPDATE sequences SET last = 3 WHERE name = 'commit'`,
	} {
		f := open(t)
		f.history()
		f.must(func(tx Tx) error { return tx.exec(harm) })
		if what, err := f.Damage(t.Context()); what != name || err != nil {
			t.Errorf("%s: %q, %v", harm, what, err)
		}
	}
}

// A copy is independent of the original, and has what is still in the write-ahead log.
func TestCopy(t *testing.T) {
	dir := t.TempDir()
	f := openAt(t, filepath.Join(dir, "catalog.db"))
	f.must(func(tx Tx) error { return tx.SetStoreID("one") })
	if err := Copy(filepath.Join(dir, "catalog.db"), filepath.Join(dir, "copy.db")); err != nil {
		t.Fatal(err)
	}
	copied, err := Open(t.Context(), filepath.Join(dir, "copy.db"), func(string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	var id string
	err = copied.Write(t.Context(), func(tx Tx) (err error) {
		if id, err = tx.StoreID(); err == nil {
			err = tx.SetStoreID("two") // which does not replace it
		}
		return err
	})
	if err != nil || id != "one" {
		t.Errorf("the copy has the id %q, %v", id, err)
	}
	if err := Copy(filepath.Join(dir, "none.db"), filepath.Join(dir, "other.db")); err != nil {
		t.Errorf("copying a catalog that is not there: %v", err)
	}
}

func TestAFileThatIsNoDatabaseIsDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	text := "this is not a database, although it is long enough to be taken for one by its size"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Open(t.Context(), path, func(string) error { return nil })
	if err == nil {
		c.Close()
	}
	if !IsDamaged(err) {
		t.Errorf("%v", err)
	}
}

func TestDocumentsAreStoredOnce(t *testing.T) {
	f := open(t)
	f.must(func(tx Tx) error {
		a, err := tx.AddDocument(Properties{Name: "x"})
		b, err2 := tx.AddDocument(Properties{Name: "x"})
		id, err3 := DocumentID(Properties{Name: "x"})
		if a != b || a != id || len(a) != 64 {
			t.Errorf("%s, %s, %s", a, b, id)
		}
		return errors.Join(err, err2, err3)
	})
}

// A program that is older than a catalog does not know its tables: every request would fail.
func TestANewerCatalogIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	c := openAt(t, path)
	c.must(func(tx Tx) error {
		return tx.exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), path, func(string) error { return nil })
	if err == nil || IsDamaged(err) || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("it opened, with %v", err)
	}
}
