package storage

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// Versions lists a dataset's versions, the lowest number first.
func (h *History) Versions(ctx context.Context, dataset string) (list []catalog.Version, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		list, err = tx.Versions(dataset)
		for i := range list {
			if err == nil {
				list[i].Metadata, err = hideInputs(ctx, tx, list[i].Metadata)
			}
		}
		return err
	})
	return list, err
}

// FindVersion returns a version of a dataset by its number, with the sentences of seed 000.
func (h *History) FindVersion(ctx context.Context, dataset, number string) (v catalog.Version, err error) {
	n, ok := ParseVersion(number)
	if !ok {
		return v, fault.Errorf(fault.Malformed, "invalid_version",
			"Invalid version format. Expected semantic version (major.minor.patch)")
	}
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeFor(ctx, tx, dataset)
		if err != nil {
			return err
		}
		v, err = tx.Version(dataset, n[0], n[1], n[2])
		return orNotFound(err, "version_not_found", "Version %s not found for dataset '%s'", number, d.Name)
	})
	return v, err
}

// VersionBefore is the number of a dataset's highest active version that names an earlier commit than a ref of another
// dataset of the family, or of the same one, does.
func (h *History) VersionBefore(ctx context.Context, dataset, other, ref string) (string, error) {
	commit, err := h.Resolve(ctx, other, ref)
	if err != nil {
		return "", err
	}
	var highest []catalog.Version
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		highest, err = tx.ActiveVersions(dataset, commit, 1)
		return err
	})
	if err != nil {
		return "", err
	}
	if len(highest) > 0 {
		return VersionNumber(highest[0]), nil
	}
	return "", fault.Errorf(fault.NotFound, "version_not_found",
		"There is no version before %s to compare with. Send from: a ref to compare with.",
		fault.Clip(cmp.Or(ref, "head")))
}

// NewVersion is what a version is made with. Metadata is kept and shown as it was sent.
type NewVersion struct {
	Part        string // major, minor or patch
	Ref         string // what it names; empty: head
	Description string
	Metadata    json.RawMessage // nil: none
	Force       bool            // name the state although a version does already
}

var versionParts = map[string]int{"major": 0, "minor": 1, "patch": 2}

// Increment names a state with the next version: 1.0.0 the first time, then counted from the highest number that was
// ever given. It makes no commit: a version is a name.
func (s *Store) Increment(ctx context.Context, dataset string, n NewVersion, r Request) (v catalog.Version, err error) {
	at, ok := versionParts[n.Part]
	if !ok {
		return v, fault.Errorf(fault.Invalid, "unknown_version_type",
			"version_type: %q is not one of major, minor, patch, auto", fault.Clip(n.Part)).With("field", "version_type")
	}
	if n.Metadata, err = s.withLineage(ctx, dataset, 0, n.Metadata); err != nil {
		return v, err
	}
	unlock, err := s.catalog.Lock(ctx, dataset)
	if err != nil {
		return v, err
	}
	defer unlock()
	named, err := s.Snapshot(ctx, dataset, n.Ref)
	if err != nil {
		return v, err
	}
	if err := r.expects(named.Dataset); err != nil {
		return v, err
	}
	highest, err := s.highestVersion(ctx, dataset)
	if err != nil {
		return v, err
	}
	if !n.Force {
		if err := s.checkUnnamed(ctx, named, highest); err != nil {
			return v, err
		}
	}
	warnings, err := s.checkVersionGates(ctx, named, r)
	if err != nil {
		return v, err
	}
	number, err := s.nextVersion(dataset, highest, at)
	if err != nil {
		return v, err
	}
	v = catalog.Version{
		DatasetID: dataset, Major: number[0], Minor: number[1], Patch: number[2], CommitID: named.Commit.ID,
		Description: n.Description, IsActive: true, User: r.User, CreatedAt: s.now(), Metadata: n.Metadata,
		Warnings: warnings,
	}
	return v, s.addVersion(ctx, &v, r)
}

// highestVersion returns a dataset's version with the highest number; its ID is 0 if there is none.
func (h *History) highestVersion(ctx context.Context, dataset string) (v catalog.Version, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error { v, err = tx.HighestVersion(dataset); return err })
	if errors.Is(err, catalog.ErrNotFound) {
		err = nil
	}
	return v, err
}

// checkUnnamed refuses a state that an active version names already. What stands after a version was rolled back may be
// named: that a later version went is a change since the last number was given (seed 000 counts on from there).
func (h *History) checkUnnamed(ctx context.Context, named *snapshot.Snapshot, highest catalog.Version) error {
	if highest.ID != 0 && highest.IsActive {
		then, err := h.Snapshot(ctx, highest.DatasetID, VersionNumber(highest))
		if err != nil && !isGone(err) { // what vacuum removed is not the state that is named
			return err
		}
		if highest.CommitID == named.Commit.ID || err == nil && sameState(then, named) {
			return errUnchanged(highest)
		}
	}
	v, err := h.VersionNaming(ctx, named.Dataset.ID, named.Commit.ID)
	if err != nil || v.ID == 0 {
		return err
	}
	return errUnchanged(v)
}

// VersionNaming returns the highest active version that names the state after a commit; its ID is 0 if there is none.
func (h *History) VersionNaming(ctx context.Context, dataset string, commit int64) (v catalog.Version, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error { v, err = tx.VersionNaming(dataset, commit); return err })
	if errors.Is(err, catalog.ErrNotFound) {
		err = nil
	}
	return v, err
}

func errUnchanged(v catalog.Version) error {
	return fault.Errorf(fault.Conflict, "version_unchanged",
		"Nothing has changed since version %s, which names this state. "+
			"To name it once more, send force.", VersionNumber(v)).With("version", VersionNumber(v))
}

// nextVersion is the number after the highest that was ever given. None is given twice: whoever noted 1.0.1 must not
// find another state under it.
func (h *History) nextVersion(dataset string, highest catalog.Version, at int) (number [3]int64, err error) {
	last, err := h.lastQuarantined(dataset)
	if err != nil {
		return number, err
	}
	number = [3]int64{highest.Major, highest.Minor, highest.Patch}
	if slices.Compare(number[:], last[:]) > 0 {
		last = number
	}
	if last == [3]int64{} {
		return [3]int64{1, 0, 0}, nil
	}
	return next(last, at), nil
}

// next counts a part of a number up, and starts the parts after it at 0.
func next(number [3]int64, at int) [3]int64 {
	number[at]++
	for i := at + 1; i < len(number); i++ {
		number[i] = 0
	}
	return number
}

// addVersion records a version and writes its label. Its id is drawn in the same transaction: versions have no files
// that need it before.
func (s *Store) addVersion(ctx context.Context, v *catalog.Version, r Request) error {
	return s.label(ctx, r, func(tx catalog.Tx, l *labels) error {
		last, err := tx.Last("version")
		if err != nil {
			return err
		}
		v.ID = last + 1
		if err := tx.Advance("version", v.ID); err != nil {
			return err
		}
		if err := tx.AddVersion(*v); err != nil {
			return err
		}
		if v.CommitID != 0 { // 0: there are no records yet
			c, err := tx.Commit(v.DatasetID, v.CommitID)
			if err != nil {
				return err
			}
			v.Total = c.Total
		}
		a, err := answer(s.Requests, tx, r, *v)
		if err != nil {
			return err
		}
		if err := a.record(tx); err != nil {
			return err
		}
		return l.put(v.DatasetID, versionName(*v), versionLabel{*v, a})
	})
}

// RollbackVersion is seed 000's rollback: the dataset is restored to a version, a savepoint keeps the state before it,
// later versions become inactive and the target active. All of it is one transaction. A client that never heard of
// savepoints can go forward again with the one that this makes.
func (s *Store) RollbackVersion(ctx context.Context, dataset, number string, r Request) (catalog.Commit, error) {
	target, err := s.FindVersion(ctx, dataset, number)
	if err != nil {
		return catalog.Commit{}, err
	}
	if r.Message == "" {
		r.Message = "Rollback to version " + number
	}
	return s.restore(ctx, dataset, number, r, func(w *work) error {
		w.activates = target.ID
		return s.catalog.Read(ctx, func(tx catalog.Tx) error {
			next, err := nextSavepoint(tx, dataset)
			w.bookmark(s.newID(), next, w.head.Commit.ID, "Before rollback to version "+number)
			return err
		})
	})
}
