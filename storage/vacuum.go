package storage

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/rowback/rowback/storage/catalog"
)

// Vacuum removes what no kept state of a fork family sees (vacuum_keep.go says which are kept, vacuum_plan.go what that
// leaves to go). The states and changes that can't be read any more are refused from then on (vacuumed.go).

// Vacuums are those of a store's families.
type Vacuums struct {
	*Removals
	grace time.Duration // how long deleted datasets keep their states; 0: for ever

	mu    sync.Mutex
	state VacuumState
}

// VacuumState is what vacuum has done since the start.
type VacuumState struct {
	Pending int // families of which it would remove something, when it last looked
	Runs    int64
	Rows    int64
	Files   int64
	Bytes   int64
	Failed  int64
}

// State returns what vacuum has done.
func (v *Vacuums) State() VacuumState {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state
}

func (v *Vacuums) change(f func(*VacuumState)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f(&v.state)
}

// VacuumPlan is what vacuum would do, for a dataset.
type VacuumPlan struct {
	Vacuumed
	HeldBy []Holder `json:"held_by"` // other datasets that keep states which its own policy lets go
}

// Plan returns what vacuum would do to the family of a dataset. It opens no file, but rollback files that show only
// together what goes.
func (v *Vacuums) Plan(ctx context.Context, dataset string) (plan VacuumPlan, err error) {
	now := v.now()
	var d catalog.Dataset
	if err = v.catalog.Read(ctx, func(tx catalog.Tx) error {
		if d, err = activeFor(ctx, tx, dataset); err != nil {
			return err
		}
		k, err := keep(tx, d.FamilyID, now, v.grace)
		if err == nil {
			plan.HeldBy, err = k.holders(d.ID)
		}
		plan.HeldBy = slices.DeleteFunc(plan.HeldBy, func(h Holder) bool {
			i := slices.IndexFunc(k.members, func(m member) bool { return m.ID == h.ID })
			return i >= 0 && !sees(ctx, k.members[i].Dataset)
		})
		return err
	}); err != nil {
		return plan, err
	}
	s, err := v.look(ctx, d.FamilyID, now)
	if err == nil {
		plan.Vacuumed = s.told()
	}
	return plan, err
}

// look finds what goes of a family.
func (v *Vacuums) look(ctx context.Context, family string, now time.Time) (s *sweeping, err error) {
	err = v.catalog.Read(ctx, func(tx catalog.Tx) error {
		k, err := keep(tx, family, now, v.grace)
		if err != nil {
			return err
		}
		s = &sweeping{keeping: k}
		if k.isEmpty() {
			return nil
		}
		s, err = sweep(k, family)
		return err
	})
	if err != nil || s.keeping.isEmpty() {
		return s, err
	}
	if err := s.readTogether(ctx, v.Removals.Files); err != nil {
		return nil, err
	}
	s.choose(v.isDamaged())
	return s, nil
}

// isDamaged returns what reports whether a file is known to be damaged.
func (fs *Files) isDamaged() func(*catalog.File) bool {
	damaged := map[string]bool{}
	for _, d := range fs.verifier.Damaged() {
		damaged[d.Key] = true
	}
	return func(f *catalog.File) bool { return damaged[f.Key] }
}

// Vacuum removes what no kept state of a dataset's family sees. It is refused while another removal runs.
func (v *Vacuums) Vacuum(ctx context.Context, dataset string, r Request) (done Vacuumed, err error) {
	d, err := v.history.Dataset(ctx, dataset)
	if err != nil {
		return done, err
	}
	return v.run(ctx, d, r, false)
}

// run vacuums the family of a dataset. waits has it wait for a removal that is running, which else refuses it.
func (v *Vacuums) run(ctx context.Context, d catalog.Dataset, r Request, waits bool) (done Vacuumed, err error) {
	now := v.now() // for all of it: what is kept by days must not change meanwhile
	var first map[int64][]int64
	done = Vacuumed{Commits: []int64{}, Datasets: []string{}}
	document, err := v.forget(ctx, forgetting{
		Request: r, kind: catalog.Vacuum, dataset: d, reason: "retention", waits: waits,
		find: func(ctx context.Context) (*removal, error) {
			s, err := v.look(ctx, d.FamilyID, now)
			if err != nil || s.keeping.isEmpty() {
				return &removal{}, err
			}
			out := &removal{whole: s.whole, vacuumed: s.states()}
			if out.rows, err = s.rowsGoing(ctx, v.Files); err != nil {
				return nil, err
			}
			// Under the locks, no file is written again for rows that have come since: they are left for the next time.
			if first == nil {
				first = out.rows
			}
			out.rows = s.narrow(out.rows, first)
			done = s.told()
			out.details = done
			return out, nil
		},
		answer: func(tx catalog.Tx, _ removalDocument) (answers, error) { return answer(v.requests, tx, r, done) },
	})
	if r.Preview != nil {
		return done, err
	}
	if err == nil && len(done.Datasets) > 0 {
		err = v.removeDatasets(ctx, d.FamilyID)
	}
	v.note(document, done, err)
	return done, err
}

// note counts what was done.
func (v *Vacuums) note(document removalDocument, done Vacuumed, err error) {
	v.change(func(s *VacuumState) {
		switch {
		case errors.Is(err, errForgetting): // it was refused, and has not begun
		case err != nil:
			s.Failed++
		case document.ID != 0:
			s.Runs, s.Rows, s.Files, s.Bytes = s.Runs+1, s.Rows+done.Rows, s.Files+int64(done.Files), s.Bytes+done.Bytes
		}
	})
}

// states is what can't be read any more, for the description.
func (s *sweeping) states() *vacuumedStates {
	out := &vacuumedStates{Commits: s.keeping.gone}
	for id := range s.keeping.expired {
		out.Datasets = append(out.Datasets, id)
	}
	slices.Sort(out.Datasets)
	return out
}

// List lists past vacuums of a dataset's family with ids below before, newest first.
func (v *Vacuums) List(
	ctx context.Context, d catalog.Dataset, before int64, limit int,
) (list []catalog.Removal, err error) {
	err = v.catalog.Read(ctx, func(tx catalog.Tx) error {
		list, err = tx.Removals(d.FamilyID, catalog.Vacuum, before, limit)
		return err
	})
	return list, err
}
