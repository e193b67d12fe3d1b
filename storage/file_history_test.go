package storage_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// The files that are live at a past commit are the same by the file history as by the catalog, while a dataset and its
// fork are changed, rolled back and compacted at random.
func TestTheFileHistoryIsTheCatalogs(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	b := reopen(t, t.TempDir(), storagetest.Eager)
	d := b.Create("d", "id")
	commits := map[string][]int64{d: {b.JSON(d, catalog.Append, `[{"id":0},{"id":1},{"id":2}]`).ID}}
	datasets := []string{d}
	for step := range 40 {
		if step == 10 {
			fork := b.MakeFork(d, "fork", "head")
			datasets, commits[fork] = append(datasets, fork), slices.Clone(commits[d])
		}
		of := datasets[random.IntN(len(datasets))]
		made := commits[of]
		switch random.IntN(5) {
		case 0:
			if c, err := b.TryRollback(of, made[random.IntN(len(made))], storage.Records); err == nil {
				commits[of] = append(made, c.ID)
			}
		case 1:
			b.MayCompact(random, of)
		case 2:
			commits[of] = append(made, b.JSON(of, catalog.Delete, fmt.Sprintf(`[{"id":%d}]`, random.IntN(9))).ID)
		default:
			commits[of] = append(made, b.JSON(of, catalog.Upsert, fmt.Sprintf(`[{"id":%d,"x":%d}]`, random.IntN(9), step)).ID)
		}
		for _, of := range datasets {
			for _, c := range commits[of] {
				past, plain, err := b.Past(t.Context(), of, c)
				b.Must(err)
				if !slices.Equal(past, plain) {
					t.Errorf("live at %d, by the file history: %v; in the catalog: %v", c, past, plain)
				}
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d, step %d", seed, step)
		}
	}
}
