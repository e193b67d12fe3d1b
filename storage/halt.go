package storage

import (
	"context"
	"errors"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// halt stops all writing until the next start: the disk has failed in the one moment where it is not known what it
// holds. What the request did may stand or not; the start finds out, since it reads what the objects tell. Reads go on:
// what stands is not in doubt. Where several servers have the catalog, that decides what stands: it is asked by
// whatever is written next, and nothing stops.
func (j *journal) halt(cause error) error {
	if j.catalog.IsShared() && !catalog.IsLost(cause) {
		j.log.Error("whether a change was recorded is unknown: its client was told so", "error", cause)
		return fault.Errorf(fault.Unavailable, "outcome_unknown", "The catalog's database or the object store was cut off "+
			"while this was recorded: it is not known whether it was. Look before you send this again, or use the same "+
			"Idempotency-Key.").Because(cause)
	}
	j.log.Error("whether the last change was recorded is unknown: nothing is written until the next start, "+
		"which finds out", "error", cause)
	// In memory alone: a restart ends it, and is what finds out.
	j.stopped.Store(&cause)
	j.doubt()
	what := "The server's disk failed"
	if catalog.IsUnavailable(cause) {
		what = "The catalog's database was cut off"
	}
	return fault.Errorf(fault.Unavailable, "outcome_unknown", "%s while this was recorded: it is not known whether it "+
		"was. Restart the server, then look before you send this again, or use the same Idempotency-Key.", what).
		Because(cause)
}

// distrust stops all writing until the next start, which makes the catalog anew from the objects if it is damaged.
func (j *journal) distrust(cause error) {
	j.log.Error("nothing is written until the next start", "error", cause)
	j.stopped.Store(&cause)
	j.doubt()
}

// halted refuses writes after halt.
func (j *journal) halted() error {
	cause := j.stopped.Load()
	if cause == nil {
		return nil
	}
	if catalog.IsLost(*cause) {
		return catalogFault(*cause)
	}
	if errors.Is(*cause, errOtherServer) {
		return errOtherServer.Because(*cause)
	}
	return fault.Errorf(fault.Unavailable, "restart_needed",
		"The server's disk failed, or the catalog's database, and nothing is written until the server is restarted. "+
			"Restart it, then send this again.").
		Because(*cause)
}

// write runs a transaction of the catalog alone.
func (j *journal) write(ctx context.Context, f func(catalog.Tx) error) error {
	if err := j.halted(); err != nil {
		return err
	}
	err := j.catalog.Write(ctx, f)
	// The commit of the transaction failed in a way that leaves open whether it stands.
	if errors.Is(err, catalog.ErrUncertain) {
		return j.halt(err)
	}
	return err
}
