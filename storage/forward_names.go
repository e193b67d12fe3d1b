package storage

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/rowback/rowback/storage/catalog"
)

// parked is the time at which a dataset counts as deleted while the catalog is brought up to date: names that were free
// when they were given need not be so in the order in which that is done.
var parked = time.Unix(1, 0)

// deletions returns when each dataset was deleted; zero: it is not.
func deletions(tx catalog.Tx) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	for _, deleted := range []bool{false, true} {
		list, err := tx.Datasets(catalog.DatasetFilter{Deleted: deleted, Limit: 1 << 30, Vacuumed: true})
		if err != nil {
			return nil, err
		}
		for _, d := range list {
			out[d.ID] = d.DeletedAt
		}
	}
	return out, nil
}

// parkNames frees all names, if anything is to be recorded that may give one.
func (f *forward) parkNames(tx catalog.Tx) error {
	for _, s := range f.shelves {
		if s.born != nil || len(s.path) > 0 {
			return tx.ParkNames(parked)
		}
	}
	return nil
}

// settleNames marks every dataset as deleted or not, as its label says. Those that had their name before keep it;
// another of the same name becomes a namesake, which is asked for by its id.
func (f *forward) settleNames(tx catalog.Tx, before map[string]time.Time) error {
	now, err := deletions(tx)
	if err != nil {
		return err
	}
	wanted := map[string]time.Time{}
	for id := range now {
		wanted[id] = before[id]
	}
	for _, s := range f.shelves {
		if _, recorded := now[s.id]; !recorded {
			continue
		}
		if wanted[s.id], err = f.deletedAt(tx, s.id, before[s.id]); err != nil {
			return err
		}
	}
	// Those that had their names before come first, so that they keep them.
	for _, old := range []bool{true, false} {
		for _, s := range slices.Sorted(maps.Keys(now)) {
			at, known := before[s]
			if (known && at.IsZero()) != old || now[s].Equal(wanted[s]) {
				continue
			}
			if err := f.settleName(tx, s, wanted[s]); err != nil {
				return err
			}
			if known && !at.Equal(wanted[s]) {
				f.step("whether dataset %s is deleted", s)
			}
		}
	}
	return nil
}

// deletedAt reads a dataset's label; without one it is what the catalog had. A label is written once, and again when
// the dataset is brought back, but never removed: one that is missing was lost, and says nothing. One that can't be
// read stays where it is, for a repair to replace.
func (f *forward) deletedAt(tx catalog.Tx, dataset string, before time.Time) (time.Time, error) {
	var d deletion
	key := labelKey(dataset, deletedLabel)
	err := f.readJSON(key, &d)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return before, nil
	case isRefusal(err):
		return before, err
	case err != nil:
		f.log.Error("whether a dataset is deleted can't be read", "dataset", dataset, "key", key, "error", err)
		return before, nil
	}
	return d.At, d.record(tx)
}

// settleName marks a dataset as deleted or not.
func (f *forward) settleName(tx catalog.Tx, dataset string, at time.Time) error {
	err := tx.Try(func() error { return tx.SetDeleted(dataset, at) })
	if !catalog.IsDuplicate(err) {
		return err
	}
	f.log.Error("two datasets have one name: the later is asked for by its id now", "dataset", dataset)
	f.step("dataset %s shares its name with another and is asked for by its id", dataset)
	return errors.Join(tx.SetNamesake(dataset), tx.SetDeleted(dataset, at))
}
