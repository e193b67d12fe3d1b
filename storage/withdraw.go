package storage

import (
	"errors"

	"rowback/storage/catalog"
)

// withdraw takes a commit that failed out of the objects, and returns the error to answer with: cause, where it is
// certain that the commit does not stand. Its description stays in quarantine, so that its numbers are not given again.
// It is moved and not deleted: an operator may want to know what it was.
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
