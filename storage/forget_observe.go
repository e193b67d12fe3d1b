package storage

import (
	"context"

	"github.com/rowback/rowback/storage/catalog"
)

// What rows were removed from by another server may be here: as copies of files, in exports, and in what statements
// have open. It goes as soon as a state is read that the removal changed, and within a minute in any case.

// Observe removes from this server what others have removed from the store.
func (rs *Removals) Observe(ctx context.Context) error {
	if !rs.catalog.IsShared() {
		return nil
	}
	known := rs.history.heads.eraNow()
	var newest int64
	err := rs.catalog.Read(ctx, func(tx catalog.Tx) (err error) { newest, err = eraOf(tx); return err })
	if err == nil && newest > known {
		rs.history.suspend(newest)
	}
	if err != nil {
		return err
	}
	return rs.observeAfter(ctx, known)
}

// observeAfter does so for the removals after one, and for those that could not be read before.
func (rs *Removals) observeAfter(ctx context.Context, known int64) error {
	rs.observing.Lock()
	defer rs.observing.Unlock()
	var list []catalog.Removal
	err := rs.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		list, err = tx.RemovalsAfter(rs.observed)
		return err
	})
	for _, r := range list {
		// Of the time before this server was started, copies may be left: those with what was erased must not be.
		if r.Kind != catalog.Vacuum || r.ID > known {
			err = rs.observe(ctx, r)
		}
		if err != nil {
			return err
		}
		rs.observed = r.ID
	}
	return err
}

// observe drops what is here of the files that a removal replaced.
func (rs *Removals) observe(ctx context.Context, r catalog.Removal) error {
	d, err := rs.readRemoval(r.Directory)
	if err != nil {
		return err
	}
	for _, f := range d.Files {
		if f.Was != "" {
			rs.replaced.add(f.Was)
			rs.blobs.Drop(f.Was)
			rs.verifier.Forget(f.Was)
		}
	}
	// Compacted files have the rows as well.
	var datasets []catalog.Dataset
	err = rs.catalog.Read(ctx, func(tx catalog.Tx) error { datasets, err = tx.FamilyDatasets(r.FamilyID); return err })
	if err != nil {
		return err
	}
	for _, of := range datasets {
		rs.blobs.Drop(of.ID + "/" + compactedDir)
	}
	rs.tables.exports.Clear()
	rs.tables.Sandboxes.Pool.DropConfined()
	return nil
}

// behind is called when a reader finds that others have removed rows.
func (rs *Removals) behind(known int64) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), observeTime)
		defer cancel()
		if err := rs.observeAfter(ctx, known); err != nil {
			rs.log.Warn("what another server removed could not be read: it is tried again", "error", err)
		}
	}()
}

// observeTime is how long reading what others removed may take.
const observeTime = noteEvery
