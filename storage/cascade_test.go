package storage_test

import (
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// What a cascade undid that came after a commit cancels with its undoing: only what came before that one may block.
func TestACascadeBlocksByItsNetEffect(t *testing.T) {
	for _, p := range []storage.Policy{storage.Stack, storage.Records} {
		b := open(t)
		d := b.Create("d", "id")
		b.JSON(d, catalog.Append, `[{"id":1,"x":"a"}]`)
		five := b.JSON(d, catalog.Append, `[{"id":5,"x":"e"}]`)
		six := b.JSON(d, catalog.Append, `[{"id":6,"x":"f"}]`)
		b.JSON(d, catalog.Overwrite, `[{"id":5,"x":"E"},{"id":6,"x":"F"}]`)
		cascade := b.cascade(d, five.ID)
		b.Want(d, "head", `{"id":1,"x":"a"}`, `{"id":6,"x":"f"}`)
		if got := blockers(t, b, d, six.ID, p); got != "" {
			t.Errorf("%s: %s blocks", p, got)
		}
		if _, err := b.TryRollback(d, six.ID, p); err != nil {
			t.Fatal(err)
		}
		b.Want(d, "head", `{"id":1,"x":"a"}`)
		// The cascade would bring back the overwrite, which needs that commit.
		_, err := b.TryRollback(d, cascade.ID, p)
		wantRefusal(t, err, "rollback_blocked")
		b.Sound()
	}
}
