package storage_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// A key goes from the parameters of commits that touched no row of the record: a merge in which its conflict was
// settled for the target's side, and a condition that held for no record. Others stay.
func TestAnErasedKeyGoesFromParametersEverywhere(t *testing.T) {
	t.Parallel()
	b := open(t)
	d := b.create("people", "name")
	b.json(d, catalog.Append, `[{"name":"`+secret+`","n":1},{"name":"bob","n":1},{"name":"eve","n":1}]`)
	f := b.fork(d, "fork", "")
	b.json(f, catalog.Upsert, `[{"name":"`+secret+`","n":2},{"name":"bob","n":2}]`)
	b.json(f, catalog.Upsert, `[{"name":"eve","n":2}]`)
	b.json(d, catalog.Upsert, `[{"name":"`+secret+`","n":3},{"name":"bob","n":3}]`)
	ours := func(name string) storage.Resolution {
		return storage.Resolution{Key: map[string]json.RawMessage{"name": json.RawMessage(`"` + name + `"`)}, Take: storage.Ours}
	}
	b.mergeWith(f, d, storage.Merge{Resolve: []storage.Resolution{ours(secret), ours("bob")}})
	for _, where := range []string{"name = '" + secret + "' AND n > 100", "name = 'zoe'"} {
		_, err := b.Commit(t.Context(), d, storage.Change{Mode: catalog.Delete, Where: where})
		must(t, err)
	}
	if names := b.holders(secret); len(names) < 5 {
		t.Fatalf("before, only %v have it", names)
	}
	b.erase(d, `"`+secret+`"`)
	if names := b.holders(secret); len(names) > 0 {
		t.Errorf("%v have it", names)
	}
	commits, err := b.Commits(t.Context(), d, 1<<60, 100)
	must(t, err)
	if text := toJSON(commits); !strings.Contains(text, "zoe") {
		t.Error("a condition that does not name it is gone, too")
	}
	b.want(d, "head", `{"name":"bob","n":3}`, `{"name":"eve","n":2}`)
	b.sound()
	again := b.reopened(t, true)
	if names := again.holders(secret); len(names) > 0 {
		t.Errorf("after the catalog was lost, %v have it", names)
	}
}
