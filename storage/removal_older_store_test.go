package storage_test

import (
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// Records are erased from a store of an older program too, whose forks have copies of what they inherited, and vacuum
// removes what its policies let go.
func TestAnOlderStoreLosesRows(t *testing.T) {
	t.Parallel()
	for _, name := range []string{goldenStore, "store-before-effects.tar.gz"} {
		for _, lost := range []bool{false, true} {
			dir, _ := unpackStore(t, name)
			if lost {
				withCatalog(t, dir, nil)
			}
			b := reopen(t, dir, storage.Options{})
			list, err := b.Datasets(t.Context(), catalog.DatasetFilter{Limit: 100})
			must(t, err)
			for _, s := range list {
				d := s.Dataset.ID
				if len(s.Schema.Key) == 0 || s.Schema.KeyColumns()[0].Name != "id" {
					continue
				}
				b.erase(d, "1", "70")
				for _, row := range b.rows(d, "head", false) {
					if strings.HasPrefix(row, `{"id":1,`) || strings.HasPrefix(row, `{"id":70,`) {
						t.Errorf("%s has %s", s.Properties.Name, row)
					}
				}
				b.sound()
			}
			for _, s := range list {
				b.keeps(s.Dataset.ID, 2)
				b.vacuum(s.Dataset.ID)
			}
			b.sound()
			b.reopened(t, !lost)
		}
	}
}
