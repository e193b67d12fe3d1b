package crash

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

// A removal's description that is torn is read from its copy, also where the catalog is lost. Without both, a start
// goes by the catalog, and check tells of them.
func TestATornDescriptionOfARemovalLosesNothing(t *testing.T) {
	dir, id := toVacuum(t)
	b := reopen(t, dir, storage.Options{})
	b.VacuumAll(id)
	want := b.states()
	b.ClosedDir()
	tear := func(name string) {
		list, err := filepath.Glob(filepath.Join(dir, "objects", "*", "removals", "*", name))
		storagetest.Must(t, err)
		if len(list) != 1 {
			t.Fatalf("%s: %v", name, list)
		}
		storagetest.Must(t, os.Truncate(list[0], 100))
	}
	tear("removal.json")
	storagetest.WithCatalog(t, dir, nil)
	b = reopen(t, dir, storage.Options{})
	if got := b.states(); got != want {
		t.Errorf("by the copy\n%s\nwant\n%s", got, want)
	}
	b.ClosedDir()
	tear("removal-copy.json")
	storagetest.Must(t, os.Remove(filepath.Join(dir, "closed.json")))
	b = reopen(t, dir, storage.Options{})
	if got := b.states(); got != want {
		t.Errorf("by the catalog\n%s\nwant\n%s", got, want)
	}
	problems, err := b.Check(t.Context(), false)
	if err == nil && len(problems) == 0 {
		t.Error("check does not tell of the descriptions")
	}
}

// A backup reads a torn description from its copy, a restored store has both, and a repair makes each of the other.
func TestCopiesOfRemovalsInBackupsAndRepairs(t *testing.T) {
	dir, id := toVacuum(t)
	b := reopen(t, dir, storage.Options{})
	b.VacuumAll(id)
	want := b.states()
	in := func(dir, name string) string {
		list, err := filepath.Glob(filepath.Join(dir, "objects", "*", "removals", "*", name))
		storagetest.Must(t, err)
		if len(list) != 1 {
			t.Fatalf("%s: %v", name, list)
		}
		return list[0]
	}
	storagetest.Must(t, os.Truncate(in(dir, "removal.json"), 100))
	target := filepath.Join(t.TempDir(), "backups")
	b.backUp(target)
	b.ClosedDir()
	for _, name := range []string{"removal.json", "removal-copy.json"} {
		storagetest.Must(t, os.Truncate(in(dir, name), 100))
		done, err := storage.RepairStore(t.Context(), storage.RepairPlan{Dir: dir, Apply: true}, storage.Options{})
		if storagetest.Must(t, err); len(done) != 1 || !done[0].Done || filepath.Base(done[0].Key) != name {
			t.Errorf("%s: %+v", name, done)
		}
	}
	copied := restoredDir(t, target)
	storagetest.Must(t, os.Truncate(in(copied, "removal.json"), 100))
	storagetest.WithCatalog(t, copied, nil)
	if got := reopen(t, copied, storage.Options{}).states(); got != want {
		t.Errorf("restored\n%s\nwant\n%s", got, want)
	}
	b = reopen(t, dir, storage.Options{})
	b.Sound()
}

// Once it is decided what goes, commits do not wait until the former files are removed.
func TestCommitsDoNotWaitForFormerFiles(t *testing.T) {
	dir, id := toVacuum(t)
	var b *bench
	var armed bool
	var made int
	b = reopen(t, dir, storage.Options{Hook: func(op, path string) error {
		if armed && op == "remove" && strings.HasSuffix(path, ".parquet") {
			armed = false
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			up := b.Upload(intake.JSON, `[{"id":9,"n":9}]`)
			if _, err := b.Commit(ctx, id, storage.Change{Mode: catalog.Append, Upload: up}); err != nil {
				t.Errorf("the commit: %v", err)
			}
			made++
		}
		return nil
	}})
	armed = true
	b.VacuumAll(id)
	if made != 1 {
		t.Errorf("%d commits were made meanwhile", made)
	}
	b.Sound()
}
