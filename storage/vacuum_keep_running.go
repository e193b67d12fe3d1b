package storage

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rowback/rowback/storage/catalog"
)

// When vacuum runs by itself: at first once compaction has had time, then every hour.
const (
	vacuumFirst = time.Minute
	vacuumEvery = time.Hour
)

// Keep vacuums the families that let something go, in the background, until ctx ends. Of several servers, one does.
func (v *Vacuums) Keep(ctx context.Context) { v.Duty(ctx, "vacuum", v.keep) }

func (v *Vacuums) keep(ctx context.Context) {
	var left sync.WaitGroup
	left.Go(func() { v.afterEnds(ctx, v.removeLeft) })
	defer left.Wait()
	for wait := vacuumFirst; sleep(ctx, wait) == nil; wait = vacuumEvery {
		if err := v.RunAll(ctx); err != nil && ctx.Err() == nil {
			v.log.Error("vacuum was not finished", "error", err)
		}
	}
}

// RunAll vacuums the families that let something go, one after the other, with pauses. What fails is left for the next
// time.
func (v *Vacuums) RunAll(ctx context.Context) error {
	var families []string
	err := v.catalog.Read(ctx, func(tx catalog.Tx) (err error) { families, err = tx.FamilyIDs(); return err })
	if err != nil {
		return err
	}
	var errs []error
	for _, family := range families {
		began := time.Now()
		d, err := v.due(ctx, family)
		if err == nil && d.ID != "" {
			v.change(func(s *VacuumState) { s.Pending++ })
			_, err = v.run(ctx, d, Request{}, true)
			v.change(func(s *VacuumState) { s.Pending-- })
		}
		if err == nil {
			err = v.removeDatasets(ctx, family) // what an earlier run was kept from
		}
		if err != nil {
			errs = append(errs, err)
		}
		if err := sleep(ctx, upkeepShare*time.Since(began)); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// due returns a dataset of a family that lets something go; one without an id: it does not.
func (v *Vacuums) due(ctx context.Context, family string) (d catalog.Dataset, err error) {
	err = v.catalog.Read(ctx, func(tx catalog.Tx) error {
		k, err := keep(tx, family, v.now(), v.grace)
		if err != nil || k.isEmpty() {
			return err
		}
		all, err := tx.FamilyDatasets(family)
		if err == nil {
			d = all[0]
		}
		return err
	})
	return d, err
}
