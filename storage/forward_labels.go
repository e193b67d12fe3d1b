package storage

import (
	"errors"
	"strings"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// readLabels records what is kept beside the commits of each dataset that the catalog has by now. Labels win over the
// catalog's rows, since they are written first.
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
		if isRemoved(d) {
			continue
		}
		if !s.notes.parts[labelsPart] {
			if err := f.readLabelsOf(tx, s.id); err != nil {
				return err
			}
		}
		// Labels say which were removed.
		if !s.notes.parts[labelsPart] || !s.notes.parts[backupsPart] {
			if err := f.readBackups(tx, s.id); err != nil {
				return err
			}
		}
	}
	return nil
}

// readLabelsOf records the labels of a dataset. One that can't be read is set aside and stops nothing else.
func (f *forward) readLabelsOf(tx catalog.Tx, dataset string) error {
	for object, err := range f.blobs.List(dataset + "/" + labelsDir) {
		if err != nil {
			return err
		}
		record := f.recorder(labelName(object.Key))
		if record == nil {
			continue
		}
		err := f.try(tx, dataset, object.Key, func() error { return record(tx, dataset, object.Key) })
		if err != nil {
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
	case strings.HasPrefix(name, tagPrefix):
		return f.recordTag
	case strings.HasPrefix(name, backupPrefix):
		return f.recordBackup
	case strings.HasPrefix(name, proposalPrefix):
		return f.recordProposal
	case strings.HasPrefix(name, discussionPrefix):
		return f.recordDiscussion
	}
	return nil
}

// try records something; where the catalog refuses it, it can't be placed.
func (f *forward) try(tx catalog.Tx, dataset, key string, record func() error) error {
	err := tx.Try(record)
	if err == nil || errors.Is(err, blob.ErrUnpublished) { // it was taken back
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
	backups := dataset + "/" + backupsDir
	directories, err := f.blobs.Directories(backups)
	if err != nil {
		return err
	}
	for _, dir := range directories {
		key := backups + "/" + dir + "/" + backupManifest
		if there, err := f.blobs.Has(key); err != nil {
			return err
		} else if !there {
			continue // an older version's, with its label among the others
		}
		record := func() error {
			err := f.recordBackup(tx, dataset, key)
			if _, known := tx.Backup(dataset, dir); isUnreadable(err) && known == nil {
				return nil // the archive is there, and the catalog has what the label said
			}
			return err
		}
		if err := f.try(tx, dataset, backups+"/"+dir, record); err != nil {
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
		return errors.Join(tx.RemoveBackup(l.ID), l.record(tx))
	case removed && errors.Is(err, catalog.ErrNotFound):
		return l.record(tx)
	case !errors.Is(err, catalog.ErrNotFound):
		return err
	}
	if there, err := f.blobs.Has(l.Key); err != nil || !there {
		return err // without an error it was removed
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
	err := f.readJSON(labelKey(l.DatasetID, backupPrefix+l.ID), &other)
	return err == nil && !other.RemovedAt.IsZero()
}

// fits refuses a label that is another dataset's, or names a commit that the dataset does not have.
func fits(tx catalog.Tx, dataset, of string, commit int64) error {
	if dataset != of {
		return fault.Errorf(fault.Corrupt, "foreign_label", "It is a label of dataset %s.", of)
	}
	if commit == 0 {
		return nil
	}
	_, err := tx.Commit(dataset, commit)
	return err
}

// unreadableError is why a label can't be read.
type unreadableError struct{ error }

// isUnreadable reports whether a label could not be read, as opposed to not fitting.
func isUnreadable(err error) bool {
	var u unreadableError
	return errors.As(err, &u)
}

// read decodes a label. A damaged one is told from a disk that refuses, which ends the start.
func (f *forward) read(key string, v any) error {
	err := f.readJSON(key, v)
	if err == nil || isRefusal(err) || errors.Is(err, blob.ErrUnpublished) {
		return err
	}
	return unreadableError{err}
}
