package storage

import (
	"context"
	"errors"

	"github.com/rowback/rowback/storage/catalog"
)

// readRemovals reads the descriptions of the removals in a dataset's directory.
func (f *forward) readRemovals(dataset string) error {
	names, err := f.blobs.Directories(dataset + "/" + removalsDir)
	if err != nil {
		return err
	}
	for _, name := range names {
		key := dataset + "/" + removalsDir + "/" + name
		d, err := f.readRemoval(key)
		switch {
		case isRefusal(err):
			return err
		case err != nil || d.Directory != key:
			// It stays: the files beside it are those of commits.
			f.log.Error("the description of a removal can't be read", "directory", key, "error", err)
		default:
			f.removed = append(f.removed, d)
		}
	}
	return nil
}

// giveUpRemovals leaves out the removals that a server had published and not recorded when it ended, where others went
// on to change the family: their commits are made on the files that it would replace. What it wrote is removed.
func (f *forward) giveUpRemovals(tx catalog.Tx) error {
	var stand renewals
	for _, d := range f.removed {
		_, err := tx.Removal(d.ID)
		if ifFound(err) != nil {
			return err
		}
		after := false
		if err != nil {
			if after, err = tx.HasCommitAfter(d.FamilyID, d.ID); err != nil {
				return err
			}
		}
		if after {
			f.log.Warn("a removal was not recorded before its server ended, and others went on: it does not stand",
				"removal", d.ID, "directory", d.Directory)
			f.overtaken = append(f.overtaken, d.Directory)
			continue
		}
		stand = append(stand, d)
	}
	f.removed = stand
	return nil
}

// remove has the catalog say what removals left that it does not know. The commits that it does not know either are
// read as these left them.
func (f *forward) remove(tx catalog.Tx) error {
	for _, d := range f.removed {
		_, err := tx.Removal(d.ID)
		if err == nil {
			continue
		}
		if !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
		f.step("removal %d of dataset %s", d.ID, d.DatasetID)
		if err := d.record(tx); err != nil {
			return err
		}
	}
	return nil
}

// finishAbandoned finishes the removals of servers that have ended before they removed the former files.
func (rs *Removals) finishAbandoned(ctx context.Context) error {
	var list []catalog.Removal
	err := rs.catalog.Read(ctx, func(tx catalog.Tx) (err error) { list, err = tx.UnfinishedRemovals(); return err })
	if err != nil || len(list) == 0 {
		return err
	}
	end, err := rs.begin(ctx, false)
	if errors.Is(err, errForgetting) { // its server goes on with it
		return nil
	}
	if err != nil {
		return err
	}
	defer end()
	return rs.finishAll(ctx)
}

// finishAll removes the files that removals replaced before the process ended.
func (rs *Removals) finishAll(ctx context.Context) error {
	var list []catalog.Removal
	var last int64
	err := rs.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		if list, err = tx.UnfinishedRemovals(); err == nil {
			last, err = tx.LastRemoval("")
		}
		return err
	})
	if err != nil {
		return err
	}
	rs.history.suspend(last)
	for _, r := range list {
		d, err := rs.readRemoval(r.Directory)
		if err != nil && !isRefusal(err) {
			// What was removed is gone from all states. Check tells of the description, and of what is left.
			rs.log.Error("the description of a removal can't be read, so it is not finished", "removal", r.ID, "error", err)
			continue
		}
		if err == nil {
			err = rs.finish(ctx, &d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
