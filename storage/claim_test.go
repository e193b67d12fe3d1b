package storage_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rowback/rowback/storage"
)

// The machine stops at every durable step of the first start, which makes the directory and what is missing above it:
// each of them is sent to the disk with the directory that it is in. The next start makes a store.
func TestCrashesOfTheFirstStart(t *testing.T) {
	for step := 0; ; step++ {
		dir := filepath.Join(t.TempDir(), "above", "store")
		s := &stops{left: step, armed: true}
		var steps []string
		hook := func(op, path string) error { steps = append(steps, op+" "+path); return s.hook(op, path) }
		opened, err := storage.Open(context.Background(), dir, storage.Options{Threads: 2, Hook: hook})
		if err == nil {
			opened.Close()
		}
		b := reopen(t, dir, storage.Options{})
		b.json(b.create("x", "id"), "append", `[{"id":1}]`)
		b.sound()
		b.Store.Close()
		if s.crashed {
			continue
		}
		want := []string{"create ..", "sync ../..", "create .", "sync .."}
		if err != nil || len(steps) < 4 || !slices.Equal(steps[:4], want) {
			t.Errorf("the start did %v, %v", steps, err)
		}
		return
	}
}
