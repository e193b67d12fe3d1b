package crash

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/storagetest"
)

// The machine stops at every durable step of the first start, which makes the directory and what is missing above it:
// each of them is sent to the disk with the directory that it is in. The next start makes a store.
func TestCrashesOfTheFirstStart(t *testing.T) {
	for step := 0; ; step++ {
		dir := filepath.Join(t.TempDir(), "above", "store")
		s := &storagetest.Stops{Left: step, Armed: true}
		var steps []string
		hook := func(op, path string) error { steps = append(steps, op+" "+path); return s.Hook(op, path) }
		opened, err := storage.Open(context.Background(), dir, storage.Options{Threads: 2, Hook: hook})
		if err == nil {
			opened.Close()
		}
		b := reopen(t, dir, storage.Options{})
		b.JSON(b.Create("x", "id"), "append", `[{"id":1}]`)
		b.Sound()
		b.Store.Close()
		if s.Crashed {
			continue
		}
		want := []string{"create ..", "sync ../..", "create .", "sync .."}
		if err != nil || len(steps) < 4 || !slices.Equal(steps[:4], want) {
			t.Errorf("the start did %v, %v", steps, err)
		}
		return
	}
}
