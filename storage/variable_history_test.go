package storage_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/storagetest"
)

// variableHistory is a dataset that random commits change, of records and of variables, with all that was read after
// each of them.
type variableHistory struct {
	*bench
	rng     *rand.Rand
	dataset string
	commits []catalog.Commit
	states  map[int64]string
	rows    map[int64]string
	made    int
}

// step tries one random commit.
func (h *variableHistory) step() (catalog.Commit, error) {
	ctx, none := context.Background(), storage.Request{}
	columns := h.SchemaAt(h.dataset, "head").Columns
	c := columns[h.rng.IntN(len(columns))]
	h.made++
	name := fmt.Sprintf("v%d", h.made)
	switch h.rng.IntN(11) {
	case 0, 1:
		if c.Name == "id" {
			c.Name = name
		}
		return h.Try(h.dataset, "upsert", "json", fmt.Sprintf(`[{"id":%d,%q:%s},{"id":%d}]`, h.rng.IntN(5)+1, c.Name,
			h.value(), h.rng.IntN(5)+6))
	case 2:
		return h.Commit(ctx, h.dataset, storage.Change{Mode: catalog.Delete, Where: fmt.Sprintf("id = %d", h.rng.IntN(10)+1)})
	case 3:
		commit, _, err := h.CreateVariable(ctx, h.dataset, storage.NewVariable{Name: name, Values: raw(h.values()...)}, none)
		return commit, err
	case 4:
		commit, _, err := h.CreateVariable(ctx, h.dataset,
			storage.NewVariable{Name: name, Derivation: fmt.Sprintf("coalesce(CAST(%q AS VARCHAR), 'none')", c.Name)}, none)
		return commit, err
	case 5:
		commit, _, err := h.TryEdit(h.dataset, c.Name, storage.VariableEdit{Name: &name})
		return commit, err
	case 6, 7:
		typ := []string{"BIGINT", "DOUBLE", "VARCHAR", "DECIMAL(9,2)"}[h.rng.IntN(4)]
		commit, _, err := h.TryEdit(h.dataset, c.Name, storage.VariableEdit{Type: &typ})
		return commit, err
	case 8:
		return h.DropVariable(ctx, h.dataset, c.ID, none)
	case 9:
		return h.Restore(ctx, h.dataset, ref(h.commits[h.rng.IntN(len(h.commits))]), none)
	}
	back := h.commits[max(0, len(h.commits)-1-h.rng.IntN(4))]
	return h.TryRollback(h.dataset, back.ID, []storage.Policy{storage.Stack, storage.Records}[h.rng.IntN(2)])
}

func (h *variableHistory) value() string {
	return []string{"1", "2.5", "null", `"3"`, `"x"`}[h.rng.IntN(5)]
}

func (h *variableHistory) values() (out []string) {
	head := h.commits[len(h.commits)-1]
	for i := range head.Total {
		out = append(out, []string{"null", fmt.Sprint(i), fmt.Sprint(i) + ".0"}[h.rng.IntN(3)])
	}
	return out
}

// check compares the new state with what must be so: an undone commit with nothing after it leaves the state before it.
func (h *variableHistory) check(c catalog.Commit) {
	h.Helper()
	h.states[c.ID], h.rows[c.ID] = stateOf(h.bench, h.dataset), storagetest.ToJSON(h.bench.Rows(h.dataset, "head", true))
	if c.Mode == catalog.Rollback && c.ParentCommitID == c.Previous {
		undone, err := h.CommitByID(context.Background(), h.dataset, c.ParentCommitID)
		if err != nil {
			h.Fatal(err)
		}
		if before := h.states[undone.Previous]; undone.Previous != 0 && h.states[c.ID] != before {
			h.Errorf("commit %d undoes %d, and\n got %s\nwant %s", c.ID, undone.ID, h.states[c.ID], before)
		}
	}
	h.commits = append(h.commits, c)
}

// Random histories of records and variables: nothing that is made makes a state unreadable, every rollback of the last
// commit is the identity, and every earlier state reads as it did.
func TestVariableHistories(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{rand.Uint64(), 1, 2} {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			b := open(t)
			h := &variableHistory{bench: b, rng: rand.New(rand.NewPCG(seed, 0)), dataset: b.Create("d", "id"),
				states: map[int64]string{}, rows: map[int64]string{}}
			h.check(b.JSON(h.dataset, "append", `[{"id":1,"a":1,"b":"x"},{"id":2,"a":2,"b":"2"},{"id":3}]`))
			for range 60 {
				c, err := h.step()
				if err != nil && fault.KindOf(err) == fault.Internal {
					t.Fatalf("after commit %d: %v", len(h.commits), err)
				}
				if err == nil && c.ID > h.commits[len(h.commits)-1].ID {
					h.check(c)
				}
				if t.Failed() {
					t.FailNow()
				}
			}
			h.readAll()
			b.Sound()
			b.LoseCatalog()
			h.readAll()
		})
	}
}

// readAll makes sure that every state reads as it did.
func (h *variableHistory) readAll() {
	h.Helper()
	for _, c := range h.commits {
		if got := storagetest.ToJSON(h.bench.Rows(h.dataset, ref(c), true)); got != h.rows[c.ID] {
			h.Errorf("commit %d reads as %s, and did as %s", c.ID, got, h.rows[c.ID])
		}
	}
}
