package storage_test

import (
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// Records are erased from a store of an older program too, whose forks have copies of what they inherited, and vacuum
// removes what its policies let go.
func TestAnOlderStoreLosesRows(t *testing.T) {
	t.Parallel()
	for _, name := range []string{goldenStore, "store-before-effects.tar.gz"} {
		for _, lost := range []bool{false, true} {
			dir, _ := unpackStore(t, name)
			if lost {
				storagetest.WithCatalog(t, dir, nil)
			}
			b := reopen(t, dir, storage.Options{})
			list, err := b.Datasets(t.Context(), catalog.DatasetFilter{Limit: 100})
			storagetest.Must(t, err)
			for _, s := range list {
				d := s.Dataset.ID
				if len(s.Schema.Key) == 0 || s.Schema.KeyColumns()[0].Name != "id" {
					continue
				}
				b.EraseKeys(d, "1", "70")
				for _, row := range b.Rows(d, "head", false) {
					if strings.HasPrefix(row, `{"id":1,`) || strings.HasPrefix(row, `{"id":70,`) {
						t.Errorf("%s has %s", s.Properties.Name, row)
					}
				}
				b.Sound()
			}
			for _, s := range list {
				b.Keeps(s.Dataset.ID, 2)
				b.VacuumAll(s.Dataset.ID)
			}
			b.Sound()
			b.Reopened(t, !lost)
		}
	}
}
