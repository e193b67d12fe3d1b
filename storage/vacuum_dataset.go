package storage

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
)

// A deleted dataset whose grace period is over keeps nothing (keeping), and can't be brought back. Once no other
// dataset needs its commits or its files any more, all of it goes but that it was there, under its id. Its dataset.json
// then says which ids it has used, as they are not given again. It is written first: from then on a start takes what
// else there is for leftovers.

// isRemoved reports whether all of a dataset is gone but that it was there.
func isRemoved(d catalog.Dataset) bool { return !d.VacuumedAt.IsZero() && d.Head == 0 }

// removeDatasets removes what is left of the datasets of a family that can't be brought back and that no other needs. A
// fork may be what needs its upstream, so the newest go first.
func (v *Vacuums) removeDatasets(ctx context.Context, family string) error {
	var all []catalog.Dataset
	err := v.catalog.Read(ctx, func(tx catalog.Tx) (err error) { all, err = tx.FamilyDatasets(family); return err })
	if err != nil {
		return err
	}
	for _, d := range slices.Backward(all) {
		if d.VacuumedAt.IsZero() || isRemoved(d) {
			continue
		}
		if err := v.removeDataset(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// removeDataset removes one, unless another needs it.
func (v *Vacuums) removeDataset(ctx context.Context, d catalog.Dataset) error {
	unlock, err := v.catalog.Lock(ctx, d.ID)
	if err != nil {
		return err
	}
	defer unlock()
	var was birth
	var needed bool
	err = v.catalog.Read(ctx, func(tx catalog.Tx) error {
		if needed, err = tx.IsNeeded(d.ID); err != nil || needed {
			return err
		}
		was, err = remainder(tx, d)
		return err
	})
	if err != nil || needed {
		return err
	}
	err = v.label(ctx, Request{}, func(tx catalog.Tx, l *labels) error {
		return errors.Join(tx.RemoveDataset(d.ID), l.put(d.ID, birthLabel, was))
	})
	if err == nil {
		err = v.compacted.refresh(ctx, d.FamilyID)
	}
	if err == nil {
		err = v.removeObjects(d.ID)
	}
	return err
}

// remainder is what stays of a dataset: that it was there, and which ids it has used.
func remainder(tx catalog.Tx, d catalog.Dataset) (was birth, err error) {
	was.Dataset = d
	was.Dataset.Head, was.Dataset.UpstreamID, was.Dataset.ForkCommit = 0, "", 0
	was.Used = &usedIDs{}
	var errUsed, errSchema error
	was.Used.Commit, was.Used.File, errUsed = tx.LastOf(d.ID)
	was.Schema, errSchema = tx.Schema(d.SchemaID)
	was.Properties, err = tx.Properties(d.PropertiesID)
	return was, errors.Join(errUsed, errSchema, err)
}

// removeObjects removes the objects of a dataset that is removed. Files that removals wrote may be those of others.
func (j *journal) removeObjects(dataset string) error {
	names, err := j.blobs.Directories(dataset)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != labelsDir && name != removalsDir {
			if err := j.blobs.Remove(dataset + "/" + name); err != nil {
				return err
			}
		}
	}
	var labels []string
	for object, err := range j.blobs.List(dataset + "/" + labelsDir) {
		if err != nil {
			return err
		}
		name := labelName(object.Key)
		if name != birthLabel && name != deletedLabel && strings.HasSuffix(object.Key, ".json") {
			labels = append(labels, object.Key)
		}
	}
	for _, key := range labels {
		if err := j.blobs.Remove(key); err != nil {
			return err
		}
	}
	return nil
}

// removeLeftovers removes the objects of removed datasets that a crash has left, and has an older catalog say that a
// dataset was removed.
func (v *Vacuums) removeLeftovers(ctx context.Context) error {
	var all []catalog.Dataset
	err := v.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		all, err = tx.Datasets(catalog.DatasetFilter{Deleted: true, Vacuumed: true, Limit: 1 << 30})
		return err
	})
	for _, d := range all {
		if isRemoved(d) {
			err = errors.Join(err, v.removeObjects(d.ID))
		} else if v.wasRemoved(d) {
			err = errors.Join(err, v.catalog.Write(ctx, func(tx catalog.Tx) error { return tx.RemoveDataset(d.ID) }),
				v.removeObjects(d.ID))
		}
	}
	return err
}

// removeLeft is removeLeftovers among other servers, for what one that has ended recorded as removed. What only the
// objects say may be what another one is about to record.
func (v *Vacuums) removeLeft(ctx context.Context) {
	var all []catalog.Dataset
	err := v.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		all, err = tx.Datasets(catalog.DatasetFilter{Deleted: true, Vacuumed: true, Limit: 1 << 30})
		return err
	})
	for _, d := range all {
		if ctx.Err() != nil {
			return
		}
		if isRemoved(d) {
			err = errors.Join(err, v.removeObjects(d.ID))
		}
	}
	if err != nil && ctx.Err() == nil {
		v.log.Warn("what is left of removed datasets could not be removed", "error", err)
	}
}

// wasRemoved reports whether the objects say that a dataset which can't be brought back was removed.
func (v *Vacuums) wasRemoved(d catalog.Dataset) bool {
	var b birth
	err := v.readJSON(labelKey(d.ID, birthLabel), &b)
	return err == nil && b.Used != nil && b.Dataset.ID == d.ID && !d.VacuumedAt.IsZero()
}
