package storage

import (
	"errors"

	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// errNumberTaken is the refusal of a commit under whose number another one is published: of a server that was given the
// same by a database which has failed over since, say. The next number is free.
var errNumberTaken = fault.Errorf(fault.Unavailable, "number_taken",
	"Another server has published a commit under the number of this one. Nothing was changed. Send the request again.")

// numberTaken returns the refusal of a commit in whose place there is another one. Where no other server is to write,
// that is one which must not.
func (j *journal) numberTaken(err error) error {
	if j.catalog.IsShared() {
		return errNumberTaken.Because(err)
	}
	err = errOtherServer.Because(err)
	j.distrust(errors.Join(errOtherServer, err))
	return err
}

// doubled returns the error of a transaction that was to record a number which another server has given meanwhile: no
// one else does under the lock, so that was lost between drawing the number and recording it.
func (j *journal) doubled(err error) error {
	if j.catalog.IsShared() && catalog.IsDuplicate(err) && fault.KindOf(err) == fault.Internal {
		return errors.Join(catalog.ErrLockLost, err)
	}
	return err
}

// IsOvertaken reports whether a change was refused, with nothing of it done, because another server went on while this
// one was cut off from the catalog. Done again, it is made on what that one left.
func (j *journal) IsOvertaken(err error) bool {
	if errors.Is(err, catalog.ErrUncertain) || Explain(err).Code == "outcome_unknown" || j.halted() != nil {
		return false
	}
	return errors.Is(err, catalog.ErrMoved) || errors.Is(err, catalog.ErrLockLost) ||
		errors.Is(err, errNumberTaken) && errors.Is(err, bucket.ErrExists)
}
