package crash

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// A key goes from the parameters of commits that touched no row of the record: a merge in which its conflict was
// settled for the target's side, and a condition that held for no record. Others stay.
func TestAnErasedKeyGoesFromParametersEverywhere(t *testing.T) {
	t.Parallel()
	b := open(t)
	d := b.Create("people", "name")
	b.JSON(d, catalog.Append, `[{"name":"`+secret+`","n":1},{"name":"bob","n":1},{"name":"eve","n":1}]`)
	f := b.MakeFork(d, "fork", "")
	b.JSON(f, catalog.Upsert, `[{"name":"`+secret+`","n":2},{"name":"bob","n":2}]`)
	b.JSON(f, catalog.Upsert, `[{"name":"eve","n":2}]`)
	b.JSON(d, catalog.Upsert, `[{"name":"`+secret+`","n":3},{"name":"bob","n":3}]`)
	ours := func(name string) storage.Resolution {
		return storage.Resolution{Key: map[string]json.RawMessage{"name": json.RawMessage(`"` + name + `"`)}, Take: storage.Ours}
	}
	b.MergeWith(f, d, storage.Merge{Resolve: []storage.Resolution{ours(secret), ours("bob")}})
	for _, where := range []string{"name = '" + secret + "' AND n > 100", "name = 'zoe'"} {
		_, err := b.Commit(t.Context(), d, storage.Change{Mode: catalog.Delete, Where: where})
		storagetest.Must(t, err)
	}
	if names := b.holders(secret); len(names) < 5 {
		t.Fatalf("before, only %v have it", names)
	}
	b.EraseKeys(d, `"`+secret+`"`)
	if names := b.holders(secret); len(names) > 0 {
		t.Errorf("%v have it", names)
	}
	commits, err := b.Commits(t.Context(), d, 1<<60, 100)
	storagetest.Must(t, err)
	if text := storagetest.ToJSON(commits); !strings.Contains(text, "zoe") {
		t.Error("a condition that does not name it is gone, too")
	}
	b.Want(d, "head", `{"name":"bob","n":3}`, `{"name":"eve","n":2}`)
	b.Sound()
	again := &bench{b.Reopened(t, true)}
	if names := again.holders(secret); len(names) > 0 {
		t.Errorf("after the catalog was lost, %v have it", names)
	}
}
