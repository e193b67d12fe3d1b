package crash

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/storagetest"
)

// busy is a store to which anything is done that a start must be able to do again.
type busy struct {
	*bench
	rand *rand.Rand
	all  []string // datasets, deleted or not
}

func (b *busy) any() string { return b.all[b.rand.IntN(len(b.all))] }

// name is one of so few that they collide.
func (b *busy) name() string { return string(rune('a' + b.rand.IntN(4))) }

// step does one thing, or is refused it.
func (b *busy) step() error {
	ctx, r := context.Background(), storage.Request{User: "ann"}
	made := func(s snapshot.State, err error) error {
		if err == nil {
			b.all = append(b.all, s.Dataset.ID)
		}
		return err
	}
	if len(b.all) == 0 {
		return made(b.CreateDataset(ctx, storage.NewDataset{ProjectID: 1, Name: b.name(), Key: []string{"id"}}, r))
	}
	d := b.any()
	switch b.rand.IntN(14) {
	case 0:
		return made(b.CreateDataset(ctx, storage.NewDataset{ProjectID: 1, Name: b.name(), Key: []string{"id"}}, r))
	case 1:
		return made(b.Fork(ctx, d, storage.NewFork{Name: b.name(), Namesake: b.rand.IntN(2) == 0}, r))
	case 2:
		name := b.name()
		_, err := b.EditDataset(ctx, d, storage.Edit{Name: &name}, r)
		return err
	case 3:
		return b.DeleteDataset(ctx, d, r)
	case 4, 5:
		_, err := b.UndeleteDataset(ctx, d, r)
		return err
	case 6:
		_, err := b.Increment(ctx, d, storagetest.Forced([]string{"major", "minor", "patch"}[b.rand.IntN(3)], ""), r)
		return err
	case 7:
		versions, err := b.Versions(ctx, d)
		if err != nil || len(versions) == 0 {
			return err
		}
		_, err = b.RollbackVersion(ctx, d, storage.VersionNumber(versions[b.rand.IntN(len(versions))]), r)
		return err
	case 8:
		_, err := b.CreateSavepoint(ctx, d, storage.NewSavepoint{Description: b.name()}, r)
		return err
	case 9:
		_, err := b.Merge(ctx, d, storage.Merge{Source: b.any()}, r)
		return err
	case 10:
		list, err := b.Commits(ctx, d, 1<<62, 3)
		if err != nil || len(list) == 0 {
			return err
		}
		_, err = b.TryRollback(d, list[b.rand.IntN(len(list))].ID, storage.Records)
		return err
	}
	_, err := b.Try(d, catalog.Upsert, intake.JSON, fmt.Sprintf(`[{"id":%d,"v":%d}]`, b.rand.IntN(5), b.rand.IntN(100)))
	return err
}

// Whatever a store went through, a catalog that is lost, or as old as any moment of that, is brought up to the same.
// ROWBACK_STEPS makes the history longer, ROWBACK_SEED repeats one.
func TestAnyOldCatalogIsBroughtUpToDate(t *testing.T) {
	t.Parallel()
	seed, steps := rand.Uint64(), 60
	if n, err := strconv.ParseUint(os.Getenv("ROWBACK_SEED"), 10, 64); err == nil {
		seed = n
	}
	if n, err := strconv.Atoi(os.Getenv("ROWBACK_STEPS")); err == nil {
		steps = n
	}
	t.Logf("ROWBACK_SEED=%d", seed)
	b := &busy{bench: open(t), rand: rand.New(rand.NewPCG(seed, 0))}
	old := [][]byte{nil}
	done := 0
	for i := range steps {
		switch err := b.step(); {
		case err == nil:
			done++
		case fault.KindOf(err) == fault.Internal:
			t.Fatalf("step %d: %v", i, err)
		}
		if i%(steps/6) == 0 {
			b.ClosedDir()
			text, err := os.ReadFile(filepath.Join(b.Dir, "catalog.db"))
			b.Must(err)
			old = append(old, text)
			b.Store = reopen(t, b.Dir, storage.Options{}).Store
		}
	}
	if done < steps/4 {
		t.Errorf("only %d of %d steps were not refused", done, steps)
	}
	b.Sound()
	want := b.Told()
	b.ClosedDir()
	for i, text := range old {
		dir := storagetest.Copied(t, b.Dir)
		storagetest.WithCatalog(t, dir, text)
		if got := storagetest.Shows(t, dir, true); got != want {
			t.Errorf("catalog %d of %d: got\n%s\nwant\n%s", i, len(old), got, want)
		}
		if set := storagetest.Quarantined(t, dir); set != "" {
			t.Errorf("in quarantine: %s", set)
		}
	}
}

// branches is a store with two commits that were made on one, as where an older copy of it was served and its
// directories came back: commit 2 on the one branch, 4 and 5 on the other. The catalog is lost.
func branches(t *testing.T) (b *bench, d string) {
	b = open(t)
	d = b.Create("x", "id")
	b.JSON(d, catalog.Append, `[{"id":1}]`)
	b.ClosedDir()
	dir := storagetest.Copied(t, b.Dir)
	other := reopen(t, dir, storage.Options{})
	b.Store = reopen(t, b.Dir, storage.Options{}).Store
	b.JSON(d, catalog.Append, `[{"id":2}]`)
	b.ClosedDir()
	refused := 0
	for range 2 { // takes two ids
		if _, err := other.Try(d, catalog.Append, intake.JSON, `[{"id":1}]`); err != nil {
			refused++
		}
	}
	third := other.JSON(d, catalog.Append, `[{"id":3}]`)
	fourth := other.JSON(d, catalog.Append, `[{"id":4}]`)
	if refused != 2 || third.ID != 4 || fourth.ID != 5 {
		t.Fatalf("%d refused, then commits %d and %d", refused, third.ID, fourth.ID)
	}
	other.ClosedDir()
	for _, id := range []int64{4, 5} {
		b.Must(os.CopyFS(b.Object(d, id, ""), os.DirFS(other.Object(d, id, ""))))
	}
	storagetest.WithCatalog(t, b.Dir, nil)
	return b, d
}

// Of two commits on one head, the one that the newest goes back to is taken. What is not complete was never
// acknowledged: it does not decide.
func TestOneOfTwoBranchesIsTaken(t *testing.T) {
	for name, c := range map[string]struct {
		harm []int64 // commits whose file is cut
		want []int64 // that are in quarantine
		rows []string
	}{
		"both complete":                    {nil, []int64{2}, []string{`{"id":1}`, `{"id":3}`, `{"id":4}`}},
		"the newest is not complete":       {[]int64{5}, []int64{2, 5}, []string{`{"id":1}`, `{"id":3}`}},
		"no commit of the newer branch is": {[]int64{4, 5}, []int64{4, 5}, []string{`{"id":1}`, `{"id":2}`}},
	} {
		t.Run(name, func(t *testing.T) {
			b, d := branches(t)
			for _, id := range c.harm {
				b.Must(os.Truncate(b.Object(d, id, "data-0000.parquet"), 50))
			}
			again := reopen(t, b.Dir, storage.Options{})
			again.Want(d, "head", c.rows...)
			var set []int64
			for _, id := range []int64{1, 2, 4, 5} {
				if strings.Contains(storagetest.Quarantined(t, b.Dir), fmt.Sprintf("%s-%d-", d, id)) {
					set = append(set, id)
				}
			}
			if !slices.Equal(set, c.want) {
				t.Errorf("in quarantine: %v", set)
			}
			if next := again.JSON(d, catalog.Append, `[{"id":9}]`); next.ID <= 5 {
				t.Errorf("the next commit is %d", next.ID)
			}
		})
	}
}

// A fork whose upstream is lost up to the commit that it was made at can't be placed; the rest of the store opens,
// again and again.
func TestAForkOfWhatIsLostIsSetAside(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d, other := b.Create("x", "id"), b.Create("y", "id")
	b.JSON(d, catalog.Append, `[{"id":1}]`)
	b.JSON(d, catalog.Append, `[{"id":2}]`)
	b.JSON(other, catalog.Append, `[{"id":7}]`)
	f := b.MakeFork(d, "f", "head")
	b.JSON(f, catalog.Append, `[{"id":3}]`)
	_, err := b.Increment(ctx, f, storage.NewVersion{Part: "major", Force: true}, storage.Request{})
	b.Must(err)
	b.ClosedDir()
	b.Must(os.RemoveAll(filepath.Join(b.Dir, "objects", d)))
	storagetest.WithCatalog(t, b.Dir, nil)
	for range 2 {
		again := reopen(t, b.Dir, storage.Options{})
		again.Want(other, "head", `{"id":7}`)
		if _, err := again.Dataset(ctx, f); fault.KindOf(err) != fault.NotFound {
			t.Errorf("the fork: %v", err)
		}
		if problems, err := again.Check(ctx, true); len(problems) == 0 || err != nil {
			t.Errorf("check: %v, %v", problems, err)
		}
		again.ClosedDir()
		if set := storagetest.Quarantined(t, b.Dir); strings.Count(set, f) != 2 {
			t.Errorf("in quarantine: %s", set)
		}
	}
}

// descriptions are the files of a store that say what the others mean.
func descriptions(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "objects"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".json") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// unsealed takes the checksums out of descriptions: those of older versions have none.
func unsealed(t *testing.T, paths []string) {
	t.Helper()
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfterN(string(text), "\n", 3)
		if !strings.Contains(lines[1], "checksum") {
			t.Fatalf("%s has no checksum", path)
		}
		if err := os.WriteFile(path, []byte(lines[0]+lines[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A store of an older version, whose descriptions have no checksums, is read.
func TestDescriptionsWithoutChecksumsAreRead(t *testing.T) {
	w := newWorld(t)
	want := storagetest.Shows(t, storagetest.Copied(t, w.dir), true)
	unsealed(t, descriptions(t, w.dir))
	storagetest.WithCatalog(t, w.dir, nil)
	if got := storagetest.Shows(t, w.dir, true); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A check finds a bit that flipped in any description, while the catalog still has what it said.
func TestACheckReadsDescriptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range descriptions(t, w.dir) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := len(text) / 2
		text[at] ^= 1
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := storage.Inspect(context.Background(), w.dir, false, storage.Options{})
		if err != nil || len(found.Problems) == 0 {
			t.Errorf("%s: %v, %v", path, found.Problems, err)
		}
		text[at] ^= 1
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A bit that flipped in what says how a dataset was made, in a commit's description or in a label keeps no store from
// being opened where the catalog is lost: what does not fit is set aside. A checksum shows what else has changed.
func TestAFlippedBitInADescriptionIsSurvived(t *testing.T) {
	t.Parallel()
	seed, steps := rand.Uint64(), 20
	if n, err := strconv.ParseUint(os.Getenv("ROWBACK_SEED"), 10, 64); err == nil {
		seed = n
	}
	if n, err := strconv.Atoi(os.Getenv("ROWBACK_STEPS")); err == nil {
		steps = n
	}
	t.Logf("ROWBACK_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t)
	want := storagetest.Shows(t, storagetest.Copied(t, w.dir), true)
	storagetest.WithCatalog(t, w.dir, nil)
	for step := range steps {
		dir := storagetest.Copied(t, w.dir)
		paths := descriptions(t, dir)
		if step%2 == 0 {
			unsealed(t, paths)
		}
		path := paths[random.IntN(len(paths))]
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bit := random.IntN(len(text) * 8)
		text[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var problems []storage.Problem
		for range 2 {
			s, err := storage.Open(context.Background(), dir, storage.Options{Threads: 2})
			if err != nil {
				t.Fatalf("bit %d of %s, %s: %v", bit, path, text[max(bit/8-30, 0):min(bit/8+10, len(text))], err)
			}
			if problems, err = s.Check(context.Background(), true); err != nil {
				t.Errorf("check, bit %d of %s, %s: %v", bit, path, text[max(bit/8-30, 0):min(bit/8+10, len(text))], err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if step%2 == 1 && len(problems) == 0 && storagetest.Shows(t, dir, false) != want {
			t.Errorf("bit %d of %s is believed", bit, path)
		}
	}
}

// A label that can't be read takes nothing with it that the catalog knows: a backup stays, and so does a deletion,
// however often the store is opened.
func TestADamagedLabelTakesNothingWithIt(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d, gone := b.Create("x"), b.Create("gone")
	b.JSON(d, catalog.Append, `[{"v":1}]`)
	kept, err := b.Backups.Make(ctx, d, storage.NewBackup{Ref: "head"}, storage.Request{})
	b.Must(err)
	b.Must(b.DeleteDataset(ctx, gone, storage.Request{}))
	b.ClosedDir()
	for _, path := range []string{
		filepath.Join(b.Dir, "objects", d, "backups", kept.ID, "backup.json"), filepath.Join(b.Dir, "objects", gone, "labels",
			"deleted.json"),
	} {
		b.Must(os.Truncate(path, 20))
	}
	for range 3 {
		again := reopen(t, b.Dir, storage.Options{})
		if _, err := again.Dataset(ctx, gone); storage.Explain(err).Code != "dataset_deleted" {
			t.Errorf("the deleted dataset: %v", err)
		}
		archive, err := again.Backups.Open(ctx, kept, false)
		if err != nil {
			t.Fatal(err)
		}
		archive.Close()
		if problems, err := again.Check(ctx, true); len(problems) != 2 || err != nil {
			t.Errorf("check: %v, %v", problems, err)
		}
		again.ClosedDir()
	}
}

// A version and a savepoint whose labels are in quarantine keep their numbers: whoever wrote one down means no other.
func TestNumbersOfLostLabelsAreNotGivenAgain(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x")
	b.JSON(d, catalog.Append, `[{"v":1}]`)
	_, err := b.Increment(ctx, d, storage.NewVersion{Part: "major", Force: true}, storage.Request{})
	b.Must(err)
	b.JSON(d, catalog.Append, `[{"v":2}]`)
	p := b.MakeSavepoint(d, storage.NewSavepoint{Description: "kept"}, true)
	_, err = b.Increment(ctx, d, storage.NewVersion{Part: "minor", Force: true}, storage.Request{})
	b.Must(err)
	b.ClosedDir()
	for _, label := range []string{"version-1.1.0", storage.SavepointName(p.Number)} {
		b.Must(os.Truncate(filepath.Join(b.Dir, "objects", d, "labels", label+".json"), 20))
	}
	storagetest.WithCatalog(t, b.Dir, nil)
	b.Store = reopen(t, b.Dir, storage.Options{}).Store
	v, err := b.Increment(ctx, d, storage.NewVersion{Part: "patch", Force: true}, storage.Request{})
	if got := storage.VersionNumber(v); got != "1.1.1" || err != nil {
		t.Errorf("the next version is %s, %v", got, err)
	}
	b.JSON(d, catalog.Append, `[{"v":3}]`)
	if next := b.MakeSavepoint(d, storage.NewSavepoint{Description: "next"}, true); next.Number != p.Number+1 {
		t.Errorf("savepoint %d comes after %d", next.Number, p.Number)
	}
}
