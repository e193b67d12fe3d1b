package storage

import (
	"context"
	"errors"

	"rowback/storage/catalog"
)

// stand has the catalog know what has been published. From the publishing on, the objects tell of the commit: where it
// can't be recorded, it is withdrawn, so that what the client is told is what a restart shows.
func (w *work) stand(ctx context.Context) error {
	err := w.store.catalog.Write(ctx, w.record)
	if err == nil {
		return nil
	}
	return w.withdraw(err)
}

// withdraw takes a commit that failed out of the objects, and returns the error to answer with: cause, where it is
// certain that the commit does not stand. Its description stays in quarantine, so that its numbers are not given again.
func (w *work) withdraw(cause error) error {
	// Withdrawn, a commit that stands after all would be lost, so nothing is touched.
	if errors.Is(cause, catalog.ErrUncertain) {
		return w.store.halt(cause)
	}
	key := w.key()
	if !w.store.blobs.Has(key) {
		return cause // it was never there
	}
	name, err := w.store.blobs.Quarantine(key, w.store.quarantineName(key, withdrawn))
	if err != nil {
		return w.store.halt(errors.Join(cause, err))
	}
	if err := w.store.blobs.Strip(name, descriptionFile); err != nil {
		w.store.log.Warn("the files of a withdrawn commit could not be removed",
			"quarantine", name, "error", err)
	}
	return cause
}

// key is the folder of the commit's objects.
func (d *draft) key() string { return commitKey(d.commit.DatasetID, d.commit.ID) }
