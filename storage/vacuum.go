package storage

import (
	"context"
	"sync"
	"time"

	"rowback/storage/catalog"
)

// Vacuum removes what no kept state of a fork family sees (vacuum_keep.go says which are kept, vacuum_plan.go what that
// leaves to go). The states and changes that can't be read any more are refused from then on (vacuumed.go).

// Vacuums are those of a store's families.
type Vacuums struct {
	*Files
	history *History
	grace   time.Duration // how long deleted datasets keep their states; 0: for ever

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
		if d, err = activeDataset(tx, dataset); err != nil {
			return err
		}
		k, err := keep(tx, d.FamilyID, now, v.grace)
		if err == nil {
			plan.HeldBy, err = k.holders(d.ID)
		}
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
	if err := s.readTogether(ctx, v.Files); err != nil {
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
