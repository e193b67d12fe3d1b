package crash

import (
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

// The machine stops at every durable step of a commit under gates: it stands or it does not, and the gates are kept.
func TestCrashesOfGatedCommits(t *testing.T) {
	t.Parallel()
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"id":1,"a":1}]`)
	b.UseGates(d, `{"name":"c","kind":"condition","condition":"a > 0"}`,
		`{"name":"w","kind":"not_null","columns":["a"],"action":"warn"}`)
	b.Store.Close()
	w := world{dir: b.Dir, d: d}
	w.copied = w.copiedHere
	before := storagetest.Shows(t, w.dir, true)
	act := committing("append", `[{"id":2,"a":2},{"id":3,"a":null}]`)
	after, _ := done(t, w, act)
	crashEverywhere(t, w, act, before, after)

	// One that is refused takes no durable step outside of staging.
	var steps []string
	again := reopen(t, storagetest.Copied(t, w.dir), storage.Options{Hook: func(op, path string) error {
		if !strings.HasPrefix(path, "staging") {
			steps = append(steps, op+" "+path)
		}
		return nil
	}})
	steps = nil
	_, err := again.Try(d, "append", intake.JSON, `[{"id":2,"a":-2}]`)
	if storage.Explain(err).Code != "gate_failed" || len(steps) > 0 {
		t.Errorf("a commit that was to be refused ended in %v and took the steps %v", err, steps)
	}
}
