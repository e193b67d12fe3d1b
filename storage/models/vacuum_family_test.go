package models

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// Random fork families with policies, vacuumed now and then: what a member keeps reads as before, all else is refused,
// and nothing else changes. ROWBACK_STEPS makes them longer, ROWBACK_SEED repeats one.
func TestVacuumedFamilies(t *testing.T) {
	t.Parallel()
	steps, seeds := 30, []uint64{rand.Uint64()}
	if n, err := strconv.Atoi(os.Getenv("ROWBACK_STEPS")); err == nil {
		steps = n
	}
	if n, err := strconv.ParseUint(os.Getenv("ROWBACK_SEED"), 10, 64); err == nil {
		seeds = []uint64{n}
	}
	for _, seed := range seeds {
		for _, keyed := range []bool{true, false} {
			t.Run(fmt.Sprintf("seed %d keyed %v", seed, keyed), func(t *testing.T) {
				f := &family{
					bench: reopen(t, t.TempDir(), storagetest.Eager), rng: rand.New(rand.NewPCG(seed, 0)), keyed: keyed,
					columnIDs: map[string]int{}, gone: map[int64]bool{},
				}
				f.run(seed, steps)
			})
		}
	}
}

// retain gives a member a policy, as a commit, or leaves it as it is.
func (f *family) retain(d *member) {
	f.Helper()
	if f.rng.IntN(3) == 0 {
		return
	}
	commits := int64(f.rng.IntN(5))
	r := catalog.Retention{Commits: &commits, Versions: true, Savepoints: f.rng.IntN(3) > 0, Tags: true}
	if f.rng.IntN(3) == 0 {
		r = catalog.Retention{Versions: true, Savepoints: true, Tags: true}
	}
	head := d.last().id
	if c := f.Retains(d.id, r); c.ID != head {
		edit := d.add(c, nil, nil)
		edit.retains = true
		f.settle(d, edit)
	}
}

// doVacuum vacuums the family, and compares what is gone with the model.
func (f *family) doVacuum(d *member) {
	f.Helper()
	kept := map[int64]bool{}
	for _, m := range f.members {
		f.keptBy(m, kept)
	}
	done := f.VacuumAll(d.id)
	var want []int64
	for _, m := range f.members {
		for _, c := range m.log {
			if !kept[c.id] && !f.gone[c.id] {
				f.gone[c.id] = true
				want = append(want, c.id)
			}
		}
	}
	slices.Sort(want)
	if !slices.Equal(done.Commits, append([]int64{}, want...)) {
		f.Fatalf("the states at %v went; the model has %v", done.Commits, want)
	}
	f.tell("vacuum: %s", storagetest.ToJSON(done))
	if f.rng.IntN(4) == 0 {
		f.loseCatalog()
	}
	for _, m := range f.live() {
		for _, c := range m.log {
			f.checkState(m, c)
		}
	}
}

// keptBy adds the commits whose states a member keeps. What its policy is, the store is asked.
func (f *family) keptBy(d *member, kept map[int64]bool) {
	f.Helper()
	kept[d.last().id], kept[d.forkCommit] = true, true
	if d.deleted { // it can be brought back as it is
		_, err := f.UndeleteDataset(context.Background(), d.id, storage.Request{})
		f.must(err)
	}
	state, err := f.State(context.Background(), d.id, "head")
	f.must(err)
	if d.deleted {
		f.must(f.DeleteDataset(context.Background(), d.id, storage.Request{}))
	}
	r := state.Properties.Retention
	if r == nil {
		for _, c := range d.log {
			kept[c.id] = true
		}
		return
	}
	if r.Savepoints {
		for _, s := range d.saves {
			kept[s.commit] = true
		}
	}
	left := *r.Commits
	for i, c := range slices.Backward(d.log) {
		if c.merge != 0 {
			continue
		}
		if left--; left < 0 {
			return
		}
		for ; d.log[i].id > d.before(c) && i > 0; i-- {
			kept[d.log[i].id] = true
		}
		kept[d.log[i].id], kept[d.before(c)] = true, true
	}
}

// lacks reports whether a request was refused as what some commits changed is gone, which must be so.
func (f *family) lacks(err error, d *member, commits []*deed) bool {
	f.Helper()
	if err == nil || storage.Explain(err).Code != "vacuumed" {
		return false
	}
	if !slices.ContainsFunc(commits, func(c *deed) bool { return f.gone[c.id] || f.gone[d.before(c)] }) {
		f.Fatalf("nothing is gone of it: %v", err)
	}
	return true
}
