package storage

import (
	"context"
	"errors"
	"fmt"

	"rowback/storage/catalog"
	"rowback/storage/fault"
)

// stand has the catalog know what has been published. From the publishing on, the objects tell of the commit: where it
// can't be recorded, it is withdrawn, so that what the client is told is what a restart shows.
func (w *work) stand(ctx context.Context) error {
	err := w.store.catalog.Write(ctx, func(tx catalog.Tx) error { return w.record(tx, w.hooks) })
	if err == nil {
		return nil
	}
	return w.withdraw(err)
}

// withdraw takes a commit that failed out of the objects, and returns the error to answer with: cause, where it is
// certain that the commit does not stand. Its description stays in quarantine, so that its numbers are not given again.
func (w *work) withdraw(cause error) error {
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
		w.store.options.Log.Warn("the files of a withdrawn commit could not be removed",
			"quarantine", name, "error", err)
	}
	return cause
}

// key is the folder of the commit's objects.
func (d *draft) key() string { return commitKey(d.commit.DatasetID, d.commit.ID) }

func commitKey(dataset string, commit int64) string { return fmt.Sprintf("%s/%d", dataset, commit) }

// halt stops all writing until the next start: the disk has failed in the one moment where it is not known what it
// holds. What the request did may stand or not; the start finds out, since it reads what the objects tell.
func (s *Store) halt(cause error) error {
	s.options.Log.Error("a change may stand or not: nothing is written until the next start, which finds out", "error", cause)
	s.stopped.Store(&cause)
	return fault.Errorf(fault.Unavailable, "outcome_unknown",
		"The server's disk failed while this was recorded: whether it stands is known after the server's next start. "+
			"Restart it, then look before you send this again, or use the same Idempotency-Key.").Because(cause)
}

// halted refuses writes after halt.
func (s *Store) halted() error {
	cause := s.stopped.Load()
	if cause == nil {
		return nil
	}
	return fault.Errorf(fault.Unavailable, "restart_needed",
		"The server's disk failed, and nothing is written until the server is restarted. Restart it, then send this again.").
		Because(*cause)
}

// write runs a transaction of the catalog alone.
func (s *Store) write(ctx context.Context, f func(catalog.Tx) error) error {
	if err := s.halted(); err != nil {
		return err
	}
	err := s.catalog.Write(ctx, f)
	if errors.Is(err, catalog.ErrUncertain) {
		return s.halt(err)
	}
	return err
}
