package storage_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// goldenStores are stores of earlier versions of the program, and the versions of their catalogs.
var goldenStores = map[string]int64{
	"store-before-store-json.tar.gz": 2, "store-before-effects.tar.gz": 3, goldenStore: 5, removalStore: 12,
	togetherStore: 22,
}

// versionOf returns the version of a closed store's catalog, or of another that lies there.
func versionOf(t *testing.T, dir, name string) (has, knows int64) {
	t.Helper()
	has, knows, err := catalog.Versions(context.Background(), filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return has, knows
}

// keptIn lists the catalogs of earlier versions that a store has kept.
func keptIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "catalog.before-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	return names
}

// A catalog of an earlier version is kept as it was beside the one that took its place.
func TestAnUpgradeKeepsTheCatalogBefore(t *testing.T) {
	for name, version := range goldenStores {
		dir, _ := unpackStore(t, name)
		if has, _ := versionOf(t, dir, "catalog.db"); has != version {
			t.Fatalf("%s has a catalog of version %d", name, has)
		}
		before, err := os.ReadFile(filepath.Join(dir, "catalog.db"))
		if err != nil {
			t.Fatal(err)
		}
		b := reopen(t, dir, storage.Options{})
		b.Sound()
		b.ClosedDir()
		has, knows := versionOf(t, dir, "catalog.db")
		if has != knows {
			t.Errorf("%s: version %d of %d", name, has, knows)
		}
		if version == knows {
			continue
		}
		kept := fmt.Sprintf("catalog.before-%05d.db", version)
		if got := keptIn(t, dir); !slices.Equal(got, []string{kept}) {
			t.Errorf("%s: kept %v", name, got)
		}
		after, err := os.ReadFile(filepath.Join(dir, kept))
		if err != nil || string(after) != string(before) {
			t.Errorf("%s: %s is not what the catalog was: %v", name, kept, err)
		}
		reopen(t, dir, storage.Options{}).ClosedDir()
		if got := keptIn(t, dir); len(got) != 1 {
			t.Errorf("%s: the next start kept %v", name, got)
		}
	}
}

// The machine stops at every step of an upgrade: the catalog is of the earlier version or of this one, never between,
// and the next start has everything.
func TestCrashesOfAnUpgrade(t *testing.T) {
	t.Parallel()
	from, want := unpackStore(t, "store-before-store-json.tar.gz")
	upgraded := 0
	for step := 0; ; step++ {
		dir := storagetest.Copied(t, from)
		s := &storagetest.Stops{Left: step, Armed: true}
		opened, err := storage.Open(context.Background(), dir, storage.Options{Threads: 2, Hook: s.Hook})
		if err == nil {
			opened.Close()
		}
		has, knows := versionOf(t, dir, "catalog.db")
		if has != 2 && has != knows {
			t.Fatalf("step %d left version %d, answered with %v", step, has, err)
		}
		if has == knows {
			upgraded++
		}
		b := reopen(t, dir, storage.Options{})
		b.Sound()
		if got := b.ledger(); got != want {
			t.Fatalf("step %d: got\n%s\nwant\n%s", step, got, want)
		}
		b.ClosedDir()
		if got := keptIn(t, dir); !slices.Equal(got, []string{"catalog.before-00002.db"}) {
			t.Errorf("step %d: kept %v", step, got)
		}
		if !s.Crashed {
			if upgraded == step+1 || step < 5 {
				t.Errorf("of %d steps, %d were after the upgrade", step, upgraded)
			}
			return
		}
	}
}

// A disk that is full leaves the store to the former version of the program, and says what to do.
func TestAnUpgradeOntoAFullDisk(t *testing.T) {
	from, _ := unpackStore(t, "store-before-store-json.tar.gz")
	before, err := os.ReadFile(filepath.Join(from, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, op := range []string{"write", "sync", "link", "rename"} {
		dir := storagetest.Copied(t, from)
		full := func(did, path string) error {
			if did == op && strings.Contains(path, "catalog") {
				return &os.PathError{Op: did, Path: path, Err: syscall.ENOSPC}
			}
			return nil
		}
		_, err := storage.Open(context.Background(), dir, storage.Options{Threads: 2, Hook: full})
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "Make room") {
			t.Errorf("%s: %v", op, err)
			continue
		}
		refused++
		if now, err := os.ReadFile(filepath.Join(dir, "catalog.db")); err != nil || string(now) != string(before) {
			t.Errorf("%s: the catalog is not as it was: %v", op, err)
		}
		if left, err := os.ReadDir(filepath.Join(dir, "staging")); err != nil || len(left) > 0 {
			t.Errorf("%s: staging has %v, %v", op, left, err)
		}
	}
	if refused != 4 {
		t.Errorf("%d of 4 were refused", refused)
	}
	// What must stay free counts as well.
	_, err = storage.Open(context.Background(), storagetest.Copied(t, from), storage.Options{
		Threads: 2, MinFree: 1000, Free: func(string) (int64, error) { return 999, nil },
	})
	if e := storage.Explain(err); e.Code != "disk_low" {
		t.Errorf("with too little free: %v", err)
	}
}

// The last two are kept.
func TestTheLastCatalogsAreKept(t *testing.T) {
	dir, _ := unpackStore(t, goldenStore)
	for _, version := range []int{1, 3, 4} {
		name := filepath.Join(dir, fmt.Sprintf("catalog.before-%05d.db", version))
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reopen(t, dir, storage.Options{}).ClosedDir()
	want := []string{"catalog.before-00004.db", "catalog.before-00005.db"}
	if got := keptIn(t, dir); !slices.Equal(got, want) {
		t.Errorf("kept %v", got)
	}
}

// Values that were erased are not kept in the catalog of an earlier version either.
func TestErasingForgetsTheKeptCatalogs(t *testing.T) {
	dir, _ := unpackStore(t, "store-before-store-json.tar.gz")
	b := reopen(t, dir, storage.Options{})
	d := b.Create("erased from", "id")
	b.JSON(d, catalog.Append, `[{"id":1},{"id":2}]`)
	if got := keptIn(t, dir); len(got) != 1 {
		t.Fatalf("kept %v", got)
	}
	b.EraseKeys(d, `1`)
	if got := keptIn(t, dir); len(got) != 0 {
		t.Errorf("still kept: %v", got)
	}
}
