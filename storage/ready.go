package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// ReadyCheck is one of the things that a commit needs, as it is now.
type ReadyCheck struct {
	Name   string      `json:"name" enum:"recording,catalog,directory,objects,disk,quarantine,readers,audit,engine" description:"What was looked at."`
	Status CheckStatus `json:"status" enum:"ok,warning,failed" description:"Commits are accepted despite a warning."`
	Detail string      `json:"detail,omitempty" description:"What is wrong, and what to do."`
}

// CheckStatus is how a check went.
type CheckStatus string

// How a check went: with a warning, commits are accepted all the same.
const (
	CheckOK      CheckStatus = "ok"
	CheckWarning CheckStatus = "warning"
	CheckFailed  CheckStatus = "failed"
)

// Ready reports why the store can't take a commit; nil where it can.
func (s *Store) Ready(ctx context.Context) error {
	_, err := s.Readiness(ctx)
	return err
}

// Readiness looks at all that a commit needs: the catalog answers, the directories are there and can be written to, and
// the disk has room. The error is that of the first check that failed. It asks nothing that takes long, and nothing
// that a commit would not need: it is asked every few seconds.
func (s *Store) Readiness(ctx context.Context) (checks []ReadyCheck, err error) {
	commits := int64(0)
	writable := s.blobs.Writable()
	for _, c := range []struct {
		name string
		look func() error
	}{
		{"recording", s.halted},
		{"catalog", func() (err error) { commits, err = s.catalogAnswers(ctx); return err }},
		{"directory", func() error { return s.isWritable(ctx, writable) }},
		{"objects", func() error { return s.hasObjects(commits, writable) }},
		{"disk", s.Disk.room},
	} {
		check := ReadyCheck{Name: c.name, Status: CheckOK}
		if failed := c.look(); failed != nil {
			check.Status, check.Detail = CheckFailed, Explain(failed).Detail
			if err == nil {
				err = failed
			}
		}
		checks = append(checks, check)
	}
	return append(checks, s.quarantineCheck(), s.Readers.check()), err
}

// catalogAnswers returns how many commits there have been, as the catalog says.
func (s *Store) catalogAnswers(ctx context.Context) (commits int64, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		commits, err = tx.Last(catalog.CommitIDs)
		return err
	})
	if err != nil {
		err = fault.Errorf(fault.Unavailable, "catalog_unreachable", "The catalog does not answer.").Because(err)
	}
	return commits, err
}

// errObjectsMissing says that the disk of the objects is away.
var errObjectsMissing = fault.Errorf(fault.Unavailable, "objects_missing",
	"The stored files are missing (objects, in the data directory). Put them back, then start the server again.")

// isWritable reports why the directories and the catalog can't be written to.
func (s *Store) isWritable(ctx context.Context, err error) error {
	if err != nil && !errors.Is(err, bucket.ErrAway) {
		if e := systemFault(err); e != nil {
			return e
		}
		return errObjectsMissing
	}
	err = s.dir.isCatalogWritable(ctx)
	if e := systemFault(err); e != nil {
		return e
	}
	return err
}

// hasObjects refuses the mount point of a disk that is away, and a bucket that is.
func (s *Store) hasObjects(commits int64, writable error) error {
	if errors.Is(writable, bucket.ErrAway) {
		return writable
	}
	if empty, err := s.blobs.IsEmpty(); err == nil && empty && commits > 0 {
		return errObjectsMissing
	}
	return nil
}

// quarantineCheck warns of what is in quarantine: it is not served.
func (s *Store) quarantineCheck() ReadyCheck {
	names, err := s.blobs.Quarantined()
	if err != nil || len(names) == 0 {
		return ReadyCheck{Name: "quarantine", Status: CheckOK}
	}
	return ReadyCheck{"quarantine", CheckWarning, fmt.Sprintf("Objects in quarantine: %d. The log says why each moved "+
		"there, as rowback check does; remove them once they are not needed.", len(names))}
}

// check warns if the last process for an upload could not be started: JSON and CSV that are small need none.
func (r *Readers) check() ReadyCheck {
	if !r.failed.Load() {
		return ReadyCheck{Name: "readers", Status: CheckOK}
	}
	return ReadyCheck{"readers", CheckWarning, "The last process to read an upload could not be started. The log says " +
		"why; look at the limits on memory and processes."}
}
