package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
)

// A transaction whose function fails leaves nothing, and its error is what the caller gets.
func TestAFailedTransactionLeavesNothing(t *testing.T) {
	f := open(t)
	refused := errors.New("refused")
	committed := false
	f.hook = func(string) error { committed = true; return nil }
	err := f.Write(t.Context(), func(tx Tx) error { return errors.Join(tx.AddDataset(f.dataset("d", "people")), refused) })
	if !errors.Is(err, refused) || errors.Is(err, ErrUncertain) || committed {
		t.Errorf("%v; committed: %v", err, committed)
	}
	func() {
		defer func() { recover() }()
		f.Write(t.Context(), func(tx Tx) error { tx.AddDataset(f.dataset("e", "other")); panic("a bug") })
	}()
	f.must(func(tx Tx) error {
		list, err := tx.Datasets(DatasetFilter{Limit: 9})
		if len(list) != 0 {
			t.Errorf("%+v", list)
		}
		return err
	})
}

// A reader sees one state, however much is committed meanwhile, and can't write.
func TestAReaderSeesOneState(t *testing.T) {
	f := open(t)
	err := f.Read(t.Context(), func(tx Tx) error {
		before, err := tx.Datasets(DatasetFilter{Limit: 9})
		f.must(func(tx Tx) error { return tx.AddDataset(f.dataset("d", "people")) })
		after, err2 := tx.Datasets(DatasetFilter{Limit: 9})
		if len(before) != 0 || len(after) != 0 {
			t.Errorf("%d datasets, then %d", len(before), len(after))
		}
		if err := tx.SetStoreID("x"); err == nil {
			t.Error("a reader wrote")
		}
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Read(t.Context(), func(tx Tx) error { _, err := tx.Dataset("d"); return err }); err != nil {
		t.Errorf("the next reader does not see the dataset: %v", err)
	}
}

// A request that is gone ends its transaction without doubt about the outcome.
func TestACancelledTransactionIsRolledBack(t *testing.T) {
	f := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := f.Write(ctx, func(tx Tx) error {
		defer cancel()
		return tx.AddDataset(f.dataset("d", "people"))
	})
	if err == nil || errors.Is(err, ErrUncertain) {
		t.Errorf("%v", err)
	}
	f.must(func(tx Tx) error {
		if _, err := tx.Dataset("d"); !errors.Is(err, ErrNotFound) {
			t.Errorf("the row is there: %v", err)
		}
		return nil
	})
	if err := f.Read(ctx, func(Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a reader that is gone: %v", err)
	}
}

// Only an error that says that nothing was written rules out that the transaction was committed.
func TestWhichErrorsAreCertain(t *testing.T) {
	for _, c := range []struct {
		err     error
		certain bool
	}{
		{sqlite3.Error{Code: sqlite3.ErrFull}, true},
		{sqlite3.Error{Code: sqlite3.ErrBusy}, true},
		{sqlite3.Error{Code: sqlite3.ErrConstraint}, true},
		{sqlite3.Error{Code: sqlite3.ErrIoErr}, false},
		{fmt.Errorf("commit: %w", sqlite3.Error{Code: sqlite3.ErrFull}), true},
		{sql.ErrTxDone, true},
		{context.Canceled, true},
		{context.DeadlineExceeded, true},
		{errors.New("anything else"), false},
	} {
		if got := isRolledBack(c.err); got != c.certain {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

// Errors of the disk are told from errors of the database, so that people learn that the disk is full.
func TestErrorsOfTheDisk(t *testing.T) {
	for _, c := range []struct {
		err  error
		want syscall.Errno
	}{
		{sqlite3.Error{Code: sqlite3.ErrIoErr, SystemErrno: syscall.EDQUOT}, syscall.EDQUOT},
		{fmt.Errorf("write: %w", sqlite3.Error{Code: sqlite3.ErrFull}), syscall.ENOSPC},
		{sqlite3.Error{Code: sqlite3.ErrReadonly}, syscall.EROFS},
		{sqlite3.Error{Code: sqlite3.ErrCantOpen}, syscall.EROFS},
		{sqlite3.Error{Code: sqlite3.ErrIoErr}, syscall.EIO},
		{sqlite3.Error{Code: sqlite3.ErrConstraint}, 0},
		{errors.New("other"), 0},
		{nil, 0},
	} {
		if got := Errno(c.err); got != c.want {
			t.Errorf("%v: %v, not %v", c.err, got, c.want)
		}
	}
}

// Rows refer to rows that exist; that violation is not a duplicate.
func TestReferencesAreChecked(t *testing.T) {
	f := open(t)
	for name, add := range map[string]func(Tx) error{
		"a commit without a dataset": func(tx Tx) error { return tx.AddCommit(f.commit(1, Append)) },
		"a dataset without a family": func(tx Tx) error {
			d := f.dataset("d", "people")
			d.FamilyID = "none"
			return tx.AddDataset(d)
		},
		"a file without a schema": func(tx Tx) error { return tx.AddFile(&File{ID: 1, SchemaID: "none"}) },
		"an entry without a file": func(tx Tx) error { return tx.OpenEntry("d", 9, 1) },
		"a version without a dataset": func(tx Tx) error {
			return tx.AddVersion(Version{ID: 1, DatasetID: "d", CreatedAt: start})
		},
	} {
		err := f.Write(t.Context(), add)
		if !IsConstraint(err) || IsDuplicate(err) || errors.Is(err, ErrUncertain) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is not found is ErrNotFound, and lists without rows are empty, not nil: JSON has [] for them.
func TestNothingIsFound(t *testing.T) {
	f := open(t)
	f.must(func(tx Tx) error {
		_, errDataset := tx.Dataset("x")
		_, errCommit := tx.Commit("x", 1)
		_, errReceipt := tx.Receipt("x", "y")
		_, errBackup := tx.Backup("x", "y")
		for i, err := range []error{errDataset, errCommit, errReceipt, errBackup} {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("%d: %v", i, err)
			}
		}
		commits, err := tx.Commits("x", 1, 1)
		files, err2 := tx.Files("x", 1)
		tags, err3 := tx.Tags("x")
		if commits == nil || files == nil || tags == nil {
			t.Errorf("%v, %v, %v", commits, files, tags)
		}
		return errors.Join(err, err2, err3)
	})
}

// Numbers that are drawn at once by many never meet, and sequences do not affect one another.
func TestDrawingAtOnce(t *testing.T) {
	f := open(t)
	var mu sync.Mutex
	drawn := map[string][]int64{}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			sequence, n := []string{CommitIDs, FileIDs}[i%2], int64(1+i%3)
			first, err := f.Draw(t.Context(), "", sequence, n)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			for k := range n {
				drawn[sequence] = append(drawn[sequence], first+k)
			}
		})
	}
	all.Wait()
	for sequence, numbers := range drawn {
		slices.Sort(numbers)
		for i, n := range numbers {
			if n != int64(i+1) {
				t.Fatalf("%s: %v", sequence, numbers)
			}
		}
	}
}

// A sequence that no one has drawn from starts at 1; recording it never lowers what was recorded.
func TestRecordedSequences(t *testing.T) {
	f := open(t)
	f.must(func(tx Tx) error {
		for _, c := range [][2]int64{{5, 5}, {3, 5}, {6, 6}} {
			if err := tx.Advance(CompactedIDs, c[0]); err != nil {
				return err
			}
			last, err := tx.Last(CompactedIDs)
			f.want("recorded", []int64{last}, []int64{c[1]}, err)
		}
		last, err := tx.Last("none")
		f.want("of a sequence without a record", []int64{last}, []int64{0}, err)
		return nil
	})
	if first, err := f.Draw(t.Context(), "", CompactedIDs, 1); err != nil || first != 7 {
		t.Errorf("drew %d, %v", first, err)
	}
}

// One holder at a time, whoever comes and gives up; a lock that all have left can be taken at once.
func TestLocksExclude(t *testing.T) {
	f := open(t)
	var all sync.WaitGroup
	holders, taken := 0, 0
	for i := range 40 {
		all.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%4 == 0 {
				cancel() // it may get the lock or not, and never keeps it
			}
			unlock, err := f.Lock(ctx, "head")
			if err != nil {
				return
			}
			if holders++; holders != 1 {
				t.Errorf("%d hold the lock", holders)
			}
			taken++
			holders--
			unlock()
			unlock() // does not release the next holder's
		})
	}
	all.Wait()
	if taken < 30 {
		t.Errorf("%d got the lock", taken)
	}
	for f.IsLocked(t.Context(), "head") { // a session gives it back in the background
		time.Sleep(time.Millisecond)
	}
	one, err := f.Lock(t.Context(), "head")
	if err != nil {
		t.Fatal(err)
	}
	defer one()
	other, err := f.Lock(t.Context(), "another") // which does not wait for the first
	if err != nil {
		t.Fatal(err)
	}
	other()
}

// A lock is tried without waiting, and its holder's context ends with it.
func TestALockIsTried(t *testing.T) {
	f := open(t)
	held, unlock, ok, err := f.TryLock(t.Context(), "upkeep")
	if err != nil || !ok || held.Err() != nil {
		t.Fatalf("%v, %v, %v", ok, err, held.Err())
	}
	if _, none, ok, err := f.TryLock(t.Context(), "upkeep"); ok || err != nil {
		t.Errorf("two have it: %v", err)
	} else {
		none() // which was not given, releases nothing
	}
	if _, _, ok, _ := f.TryLock(t.Context(), "upkeep"); ok {
		t.Error("two have it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := f.Lock(ctx, "upkeep"); err == nil {
		t.Error("someone else got it who waited")
	}
	unlock()
	if held.Err() == nil {
		t.Error("whoever had it goes on")
	}
	again, err := f.Lock(t.Context(), "upkeep")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok, _ := f.TryLock(t.Context(), "upkeep"); ok {
		t.Error("it was taken from someone who waited for it")
	}
	again()
}

// The catalog and its journal are for their owner only, also where the file was there before.
func TestTheCatalogIsPrivate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "catalog.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	openAt(t, path)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the permissions %v, %v", f.Name(), info.Mode(), err)
		}
	}
}

// Opening a catalog again changes nothing in it. A path may have characters that mean something in a URL.
func TestACatalogIsOpenedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a ?b#c%41&_query_only=1 ü.db")
	f := openAt(t, path)
	f.history()
	f.must(func(tx Tx) error { return tx.SetStoreID("store") })
	f.Close()
	if _, err := os.Stat(path); err != nil {
		t.Fatal("the catalog is in another file", err)
	}
	again := openAt(t, path)
	again.must(func(tx Tx) error {
		list, err := tx.CommitIDs("d")
		again.want("commits", list, []int64{1, 2, 3, 4}, err)
		id, err := tx.StoreID()
		if id != "store" {
			t.Errorf("the store's id is %q", id)
		}
		return err
	})
	if what, err := again.Damage(t.Context()); what != "" || err != nil {
		t.Errorf("%q, %v", what, err)
	}
}

// Rows that refer to nothing are damage, as are pages with other content; neither is an error of the check itself.
func TestDamageBySQLite(t *testing.T) {
	f := open(t)
	f.history()
	if _, err := f.write.Exec(`PRAGMA foreign_keys = 0`); err != nil {
		t.Fatal(err)
	}
	f.must(func(tx Tx) error { return tx.exec(`DELETE FROM families`) })
	what, err := f.Damage(t.Context())
	if err != nil || what != "1 rows refer to rows that do not exist" {
		t.Errorf("%q, %v", what, err)
	}
	path := filepath.Join(t.TempDir(), "catalog.db")
	g := openAt(t, path)
	g.history()
	g.Close()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(body); i += 512 { // the first page has the schema: without it the file can't be opened
		copy(body[i:], "harm")
	}
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	harmed, err := Open(t.Context(), path, func(string) error { return nil })
	if err != nil {
		if !IsDamaged(err) {
			t.Errorf("opening: %v", err)
		}
		return
	}
	defer harmed.Close()
	if what, err := harmed.Damage(t.Context()); what == "" || strings.Contains(what, "\n") || err != nil {
		t.Errorf("%q, %v", what, err)
	}
}

// A copy never replaces a file.
func TestACopyReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "catalog.db"), filepath.Join(dir, "copy.db")
	openAt(t, from)
	if err := os.WriteFile(to, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Copy(from, to); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
	if body, err := os.ReadFile(to); err != nil || string(body) != "mine" {
		t.Errorf("%q, %v", body, err)
	}
}
