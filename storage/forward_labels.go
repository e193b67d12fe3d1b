package storage

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"rowback/storage/catalog"
)

// readLabels records what is kept beside the commits of each dataset that the catalog has by now.
func (f *forward) readLabels(tx catalog.Tx) error {
	for _, s := range f.shelves {
		d, err := tx.Dataset(s.id)
		if errors.Is(err, catalog.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		s.dataset = d
		if err := f.readLabelsOf(tx, s.id); err != nil {
			return err
		}
		if err := f.readBackups(tx, s.id); err != nil {
			return err
		}
	}
	return nil
}

func (f *forward) readLabelsOf(tx catalog.Tx, dataset string) error {
	for object, err := range f.store.blobs.List(dataset + "/" + labelsFolder) {
		if err != nil {
			return err
		}
		record := f.recorder(labelName(object.Key))
		if record == nil {
			continue
		}
		if err := f.try(tx, dataset, object.Key, func() error { return record(tx, dataset, object.Key) }); err != nil {
			return err
		}
	}
	return nil
}

// recorder is what records a label of that name; nil: it is not one, or read elsewhere.
func (f *forward) recorder(name string) func(tx catalog.Tx, dataset, key string) error {
	switch {
	case strings.HasPrefix(name, "version-"):
		return f.recordVersion
	case strings.HasPrefix(name, "master__"):
		return f.recordSavepoint
	case strings.HasPrefix(name, backupPrefix):
		return f.recordBackup
	}
	return nil
}

// try records something; where the catalog refuses it, it can't be placed.
func (f *forward) try(tx catalog.Tx, dataset, key string, record func() error) error {
	err := tx.Try(record)
	if err == nil {
		return nil
	}
	if !unplaceable(err) && !isUnreadable(err) {
		return err
	}
	why := unplaced
	if isUnreadable(err) {
		why = unreadable
	}
	f.setAside(dataset, 0, key, why, "%s does not fit what is there: %v", key, err)
	return nil
}

// recordVersion records a version that the catalog does not have. Whether it is active is for commits to change.
func (f *forward) recordVersion(tx catalog.Tx, dataset, key string) error {
	var l versionLabel
	if err := f.read(key, &l); err != nil {
		return err
	}
	v := l.Version
	if err := tx.Advance("version", v.ID); err != nil {
		return err
	}
	known, err := tx.Version(dataset, v.Major, v.Minor, v.Patch)
	if err == nil && known.ID == v.ID || err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	if err := fits(tx, dataset, v.DatasetID, v.CommitID); err != nil {
		return err
	}
	f.step("version %s of dataset %s", VersionNumber(v), dataset)
	return errors.Join(tx.AddVersion(v), l.record(tx))
}

// recordSavepoint records a savepoint as its label has it.
func (f *forward) recordSavepoint(tx catalog.Tx, dataset, key string) error {
	var l savepointLabel
	if err := f.read(key, &l); err != nil {
		return err
	}
	all, err := tx.Savepoints(dataset)
	if err != nil {
		return err
	}
	for _, known := range all {
		if known.ID != l.ID {
			continue
		}
		if known.Description == l.Description && known.UpdatedAt.Equal(l.UpdatedAt) {
			return l.record(tx)
		}
		f.step("the description of savepoint %s of dataset %s", SavepointName(l.Number), dataset)
		return errors.Join(tx.SetSavepoint(l.Savepoint), l.record(tx))
	}
	if err := fits(tx, dataset, l.DatasetID, l.CommitID); err != nil {
		return err
	}
	f.step("savepoint %s of dataset %s", SavepointName(l.Number), dataset)
	return errors.Join(tx.AddSavepoint(l.Savepoint), l.record(tx))
}

// readBackups records the backups whose archives are there, each with its label beside it.
func (f *forward) readBackups(tx catalog.Tx, dataset string) error {
	folders, err := f.store.blobs.Folders(dataset + "/" + backupsFolder)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		key := dataset + "/" + backupsFolder + "/" + folder + "/" + backupManifest
		if _, err := os.Lstat(f.store.blobs.Place(key)); errors.Is(err, fs.ErrNotExist) {
			continue // an older version's, with its label among the others
		}
		if err := f.try(tx, dataset, dataset+"/"+backupsFolder+"/"+folder, func() error { return f.recordBackup(tx, dataset, key) }); err != nil {
			return err
		}
	}
	return nil
}

// recordBackup records a backup that the catalog does not have, if its archive is there.
func (f *forward) recordBackup(tx catalog.Tx, dataset, key string) error {
	var l backupLabel
	if err := f.read(key, &l); err != nil {
		return err
	}
	_, err := tx.Backup(dataset, l.ID)
	switch removed := f.isRemoved(l); {
	case err == nil && removed:
		f.step("the removal of backup %s of dataset %s", l.ID, dataset)
		return tx.RemoveBackup(l.ID)
	case !errors.Is(err, catalog.ErrNotFound) || removed:
		return ifFound(err)
	}
	if _, err := os.Lstat(f.store.blobs.Place(l.Key)); errors.Is(err, fs.ErrNotExist) {
		return nil // it was removed
	}
	if err := fits(tx, dataset, l.DatasetID, l.CommitID); err != nil {
		return err
	}
	f.step("backup %s of dataset %s", l.ID, dataset)
	return errors.Join(tx.AddBackup(l.Backup), l.record(tx))
}

// isRemoved reports whether a backup was removed. Its archive may be left.
func (f *forward) isRemoved(l backupLabel) bool {
	var other backupLabel
	err := f.store.readJSON(labelKey(l.DatasetID, backupPrefix+l.ID), &other)
	return err == nil && !other.RemovedAt.IsZero()
}

// fits refuses a label that is another dataset's, or names a commit that the dataset does not have.
func fits(tx catalog.Tx, dataset, of string, commit int64) error {
	if dataset != of {
		return failf(Corrupt, "foreign_label", "It is a label of dataset %s.", of)
	}
	if commit == 0 {
		return nil
	}
	_, err := tx.Commit(dataset, commit)
	return err
}

// unreadableError is why a label can't be read.
type unreadableError struct{ error }

func isUnreadable(err error) bool {
	var u unreadableError
	return errors.As(err, &u)
}

func (f *forward) read(key string, v any) error {
	if err := f.store.readJSON(key, v); err != nil {
		return unreadableError{err}
	}
	return nil
}

// parked is the time at which a dataset counts as deleted while the catalog is brought up to date: names that were free
// when they were given need not be so in the order in which that is done.
var parked = time.Unix(1, 0)

// deletions tells when each dataset was deleted; zero: it is not.
func deletions(tx catalog.Tx) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	for _, deleted := range []bool{false, true} {
		list, err := tx.Datasets(catalog.DatasetFilter{Deleted: deleted, Limit: 1 << 30})
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

// settleNames has every dataset deleted or not, as its label tells. Those that had their name before keep it; another of
// the same name becomes a namesake, which is asked for by its id.
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

// deletedAt reads a dataset's label; without one it is not deleted.
func (f *forward) deletedAt(tx catalog.Tx, dataset string, before time.Time) (time.Time, error) {
	var d deletion
	key := labelKey(dataset, deletedLabel)
	err := f.store.readJSON(key, &d)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return time.Time{}, nil
	case err != nil:
		f.setAside(dataset, 0, key, unreadable, "%s can't be read: %v", key, err)
		return before, nil
	}
	return d.At, d.record(tx)
}

// settleName has a dataset deleted or not.
func (f *forward) settleName(tx catalog.Tx, dataset string, at time.Time) error {
	err := tx.Try(func() error { return tx.SetDeleted(dataset, at) })
	if !catalog.IsDuplicate(err) {
		return err
	}
	f.store.options.Log.Error("two datasets have one name: the later is asked for by its id now", "dataset", dataset)
	f.step("dataset %s shares its name with another and is asked for by its id", dataset)
	return errors.Join(tx.SetNamesake(dataset), tx.SetDeleted(dataset, at))
}
