package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datadir"
)

// The objects are the log and the catalog is their index (design, section 7). At the start, forward brings the catalog
// up to date with the objects: every complete commit that follows on the head the catalog knows, in the order of their
// ids, which is that of all datasets together, then the labels. Where the catalog is empty, that makes it anew. It is
// one transaction; after it, what could not be placed moves to quarantine. TestCrashes, TestNothingIsLostWithTheCatalog
// and TestAnyOldCatalogIsBroughtUpToDate prove it. A server that is asked for another store's objects stops before this
// (directory.indexes).
type forward struct {
	*journal
	last    datadir.Closed           // what need not be looked at
	noted   map[string]catalog.Noted // what the catalog is known to have, by dataset
	shelves []*shelf
	removed renewals // that the directories have
	placed  []*fresh
	steps   []string // what the catalog did not know, in words
	aside   []aside

	withdrawn []int64  // commits that are not to be recorded, by id
	several   bool     // several servers write, each of which may have ended before it recorded what it published
	given     []int64  // commits that a server had published when it ended: they never stand
	overtaken []string // directories of removals of which that is so
}

// shelf is a dataset as its directory shows it.
type shelf struct {
	id      string
	notes   notes
	known   bool            // the catalog has it
	dataset catalog.Dataset // as the catalog has it
	born    *birth          // how it was made, where the catalog does not have it
	highest int64           // of its directories of commits
	fresh   []*fresh        // commits that the catalog does not have, by id
	path    []*fresh        // those of them that follow on the head, in order
}

// fresh is a commit that the catalog does not have.
type fresh struct {
	manifest
	dataset string
	id      int64
}

// aside is something that can't be placed.
type aside struct {
	Problem
	key, why string
}

// catchUp runs forward and logs what it did.
func (j *journal) catchUp(ctx context.Context, last datadir.Closed, vouched bool) (err error) {
	f := &forward{journal: j, last: last}
	if vouched {
		err := j.catalog.Read(ctx, func(tx catalog.Tx) (err error) { f.noted, err = tx.Noted(); return err })
		if err != nil {
			return err
		}
	}
	if err := f.run(ctx); err != nil {
		return err
	}
	if len(f.steps) > 0 {
		j.log.Warn("the catalog was behind the objects and was brought up to them",
			"steps", len(f.steps), "first", f.steps[0], "last", f.steps[len(f.steps)-1])
	}
	for _, a := range f.aside {
		name, err := j.blobs.Quarantine(a.key, j.quarantineName(a.key, a.why))
		if err != nil {
			return err
		}
		j.log.Error("something can't be placed and is in quarantine now",
			"dataset", a.Dataset, "commit", a.Commit, "reason", a.Detail, "quarantine", name)
	}
	return nil
}

// run finds what the objects have and the catalog lacks, and records it.
func (f *forward) run(ctx context.Context) error {
	// Looked through first, then written in one transaction: a crash in between leaves the same to do.
	if err := f.catalog.Read(ctx, f.survey); err != nil {
		return err
	}
	if nothing, err := f.isDone(); nothing || err != nil {
		return err
	}
	if err := f.choose(); err != nil {
		return err
	}
	f.joinForks()
	if err := f.catalog.Write(ctx, f.apply); err != nil {
		return err
	}
	for _, key := range f.overtaken {
		if err := f.blobs.Remove(key); err != nil {
			return err
		}
	}
	return nil
}

// isDone reports whether there is nothing to look at: all is as it was, and quarantine has no numbers to reserve.
func (f *forward) isDone() (bool, error) {
	names, err := f.blobs.Quarantined()
	return len(f.shelves)+len(names) == 0, err
}

// step notes what is recorded, for the log and for rowback check.
func (f *forward) step(format string, args ...any) {
	f.steps = append(f.steps, fmt.Sprintf(format, args...))
}

// setAside has the object of a key moved to quarantine.
func (f *forward) setAside(dataset string, commit int64, key, why, format string, args ...any) {
	f.aside = append(f.aside, aside{Problem{dataset, commit, fmt.Sprintf(format, args...)}, key, why})
}

// survey compares the directories with the catalog, and reads what it does not know.
func (f *forward) survey(tx catalog.Tx) error {
	ids, err := f.blobs.Directories("")
	if err != nil {
		return err
	}
	for _, id := range ids {
		n := f.notesOf(id)
		if n.isAll() {
			continue
		}
		if !n.parts[removalsPart] {
			if err := f.readRemovals(id); err != nil {
				return err
			}
		}
		f.shelves = append(f.shelves, &shelf{id: id, notes: n})
	}
	f.removed = f.removed.sorted()
	if f.withdrawn, err = tx.Withdrawn(); err != nil {
		return err
	}
	directory, err := tx.StoreDirectory()
	if err != nil {
		return err
	}
	if f.several = directory != ""; f.several {
		if err := f.giveUpRemovals(tx); err != nil {
			return err
		}
	}
	for _, s := range f.shelves {
		id := s.id
		if s.dataset, err = tx.Dataset(id); err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
		// A dataset that is not known may be new, or the whole catalog is.
		s.known = err == nil
		if err := f.readFresh(tx, s); err != nil {
			return err
		}
	}
	return nil
}

// readFresh reads the descriptions of a dataset's commits that the catalog does not have.
func (f *forward) readFresh(tx catalog.Tx, s *shelf) error {
	var directories []int64
	if !s.notes.parts[commitsPart] {
		var err error
		if directories, s.highest, err = f.commitsOf(s.id, s.notes.last); err != nil {
			return err
		}
	}
	if removed, err := f.isRemnant(s); removed || err != nil {
		return err
	}
	known, err := tx.CommitIDsAfter(s.id, s.notes.last)
	if err != nil {
		return err
	}
	for _, id := range directories {
		if _, ok := slices.BinarySearch(known, id); ok {
			continue
		}
		if _, ok := slices.BinarySearch(f.withdrawn, id); ok { // what is left of it is removed when it is a day old
			continue
		}
		m, err := f.readManifest(s.id, id)
		if err == nil {
			err = m.checkSchemas()
		}
		switch {
		case isRefusal(err):
			return err
		case errors.Is(err, blob.ErrUnpublished):
			continue // it never stood; what is left of it is removed when it is a day old
		case err != nil:
			f.setAside(s.id, id, commitKey(s.id, id), unreadable, "its %s can't be read: %v", descriptionFile, err)
		// A directory that was copied or renamed by hand: its description is right, and its place is not.
		case m.Commit.DatasetID != s.id || m.Commit.ID != id:
			f.setAside(s.id, id, commitKey(s.id, id), unreadable, "its %s is that of commit %d of dataset %s",
				descriptionFile, m.Commit.ID, m.Commit.DatasetID)
		default:
			f.removed.renew(&m)
			s.fresh = append(s.fresh, &fresh{m, s.id, id})
		}
	}
	if s.known {
		return nil
	}
	return f.readBirth(s)
}

// isRemnant reports whether a dataset was removed. Then its other objects are leftovers.
func (f *forward) isRemnant(s *shelf) (bool, error) {
	if s.known {
		return isRemoved(s.dataset), nil
	}
	var b birth
	if err := f.readJSON(labelKey(s.id, birthLabel), &b); err != nil || b.Used == nil || b.Dataset.ID != s.id {
		if isRefusal(err) {
			return false, err
		}
		return false, nil //nolint:nilerr // what can't be read is reported by readBirth
	}
	s.born = &b
	return true, nil
}

// readBirth reads how a dataset was made: by its first commit, or by itself.
func (f *forward) readBirth(s *shelf) error {
	for _, c := range s.fresh {
		if c.Birth != nil {
			s.born = c.Birth
			return nil
		}
	}
	var b birth
	err := f.readJSON(labelKey(s.id, birthLabel), &b)
	if err == nil {
		err = checkSchema(b.Schema)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case isRefusal(err):
		return err
	case err != nil || b.Dataset.ID != s.id:
		f.setAside(s.id, 0, labelKey(s.id, birthLabel), unreadable, "how it was made can't be read, or is another's: %v", err)
	default:
		for i := range f.removed {
			f.removed[i].renewBirth(&b)
		}
		s.born = &b
	}
	return nil
}

// joinForks has the forks of older versions, whose beginning is a label, be made with their first commit as all others
// are: what they inherit is there by then.
func (f *forward) joinForks() {
	for _, s := range f.shelves {
		if s.born != nil && s.born.Dataset.IsFork() && len(s.path) > 0 {
			s.path[0].Birth = s.born
		}
	}
}
