package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"

	"rowback/storage/catalog"
)

// The objects are the log and the catalog is their index (design, section 7). At the start, forward brings the catalog up
// to what the objects tell: every complete commit that follows on the head the catalog knows, in the order of their ids,
// which is that of all datasets together, then the labels. Where the catalog is empty, that makes it anew. It is one
// transaction; after it, what could not be placed moves to quarantine. TestCrashes and TestOldCatalogs prove it.
type forward struct {
	store   *Store
	shelves []*shelf
	placed  []*fresh
	steps   []string // what the catalog did not know, in words
	aside   []aside
}

// shelf is a dataset as its folder shows it.
type shelf struct {
	id      string
	known   bool            // the catalog has it
	dataset catalog.Dataset // as the catalog has it
	born    *birth          // how it was made, where the catalog does not have it
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

// catchUp runs forward and tells the log what it did.
func (s *Store) catchUp(ctx context.Context) error {
	f := &forward{store: s}
	if err := f.run(ctx); err != nil {
		return err
	}
	if len(f.steps) > 0 {
		s.options.Log.Warn("the catalog was behind the objects and was brought up to them", "steps", len(f.steps), "first", f.steps[0], "last", f.steps[len(f.steps)-1])
	}
	for _, a := range f.aside {
		name, err := s.blobs.Quarantine(a.key, s.quarantineName(a.key, a.why))
		if err != nil {
			return err
		}
		s.options.Log.Error("something can't be placed and is in quarantine now", "dataset", a.Dataset, "commit", a.Commit, "reason", a.Detail, "quarantine", name)
	}
	return nil
}

func (f *forward) run(ctx context.Context) error {
	if err := f.store.catalog.Read(ctx, f.survey); err != nil {
		return err
	}
	f.choose()
	return f.store.catalog.Write(ctx, f.apply)
}

func (f *forward) step(format string, args ...any) {
	f.steps = append(f.steps, fmt.Sprintf(format, args...))
}

// setAside has the object of a key moved to quarantine.
func (f *forward) setAside(dataset string, commit int64, key, why, format string, args ...any) {
	f.aside = append(f.aside, aside{Problem{dataset, commit, fmt.Sprintf(format, args...)}, key, why})
}

// survey compares the folders with the catalog, and reads what it does not know.
func (f *forward) survey(tx catalog.Tx) error {
	ids, err := f.store.blobs.Folders("")
	if err != nil {
		return err
	}
	for _, id := range ids {
		s := &shelf{id: id}
		if s.dataset, err = tx.Dataset(id); err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
		s.known = err == nil
		if err := f.readFresh(tx, s); err != nil {
			return err
		}
		f.shelves = append(f.shelves, s)
	}
	return nil
}

// readFresh reads the descriptions of a dataset's commits that the catalog does not have.
func (f *forward) readFresh(tx catalog.Tx, s *shelf) error {
	folders, err := f.store.commitsOf(s.id)
	if err != nil {
		return err
	}
	known, err := tx.CommitIDs(s.id)
	if err != nil {
		return err
	}
	for _, id := range folders {
		if _, ok := slices.BinarySearch(known, id); ok {
			continue
		}
		m, err := f.store.readManifest(s.id, id)
		switch {
		case err != nil:
			f.setAside(s.id, id, commitKey(s.id, id), unreadable, "its %s can't be read: %v", descriptionFile, err)
		case m.Commit.DatasetID != s.id || m.Commit.ID != id:
			f.setAside(s.id, id, commitKey(s.id, id), unreadable, "its %s is that of commit %d of dataset %s", descriptionFile, m.Commit.ID, m.Commit.DatasetID)
		default:
			s.fresh = append(s.fresh, &fresh{m, s.id, id})
		}
	}
	if s.known {
		return nil
	}
	return f.readBirth(s)
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
	err := f.store.readJSON(labelKey(s.id, birthLabel), &b)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil || b.Dataset.ID != s.id:
		f.setAside(s.id, 0, labelKey(s.id, birthLabel), unreadable, "how it was made can't be read, or is another's: %v", err)
	default:
		s.born = &b
	}
	return nil
}

// commitsOf lists the commits that a dataset has folders for, oldest first.
func (s *Store) commitsOf(dataset string) ([]int64, error) {
	folders, err := s.blobs.Folders(dataset)
	var out []int64
	for _, f := range folders {
		if id, err := strconv.ParseInt(f, 10, 64); err == nil && id > 0 && strconv.FormatInt(id, 10) == f {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out, err
}

// apply records what was chosen.
func (f *forward) apply(tx catalog.Tx) error {
	before, err := deletions(tx)
	if err != nil {
		return err
	}
	if err := f.parkNames(tx); err != nil {
		return err
	}
	for _, step := range []func(catalog.Tx) error{f.bear, f.place, f.readLabels, f.activate, f.reserve} {
		if err := step(tx); err != nil {
			return err
		}
	}
	return f.settleNames(tx, before)
}

// bear records the datasets that were made without a commit. A fork of an older version stands with its first commit.
func (f *forward) bear(tx catalog.Tx) error {
	for _, s := range f.shelves {
		if s.born == nil || slices.ContainsFunc(s.path, func(c *fresh) bool { return c.Birth != nil }) || s.born.Dataset.IsFork() && len(s.path) == 0 {
			continue
		}
		if err := f.store.bear(tx, *s.born); err != nil {
			return fmt.Errorf("dataset %s: %w", s.id, err)
		}
		f.step("dataset %s was made", s.id)
	}
	return nil
}

// bear records a dataset as it was made. It counts as deleted until all names are settled.
func (s *Store) bear(tx catalog.Tx, b birth) error {
	b.Dataset.DeletedAt = parked
	if err := addDataset(tx, b.Dataset, b.Schema, b.Properties); err != nil {
		return err
	}
	return b.record(tx)
}

// place records the commits, oldest first. What the catalog refuses can't be placed, nor what follows on it.
func (f *forward) place(tx catalog.Tx) error {
	all := map[int64]*fresh{}
	for _, s := range f.shelves {
		for _, c := range s.path {
			if other := all[c.id]; other != nil {
				f.setAside(c.dataset, c.id, commitKey(c.dataset, c.id), unplaced, "dataset %s has a commit of the same id", other.dataset)
				continue
			}
			all[c.id] = c
		}
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		c := all[id]
		err := tx.Try(func() error { return f.store.replay(tx, c) })
		switch {
		case err == nil:
			f.placed = append(f.placed, c)
			f.step("commit %d of dataset %s", c.id, c.dataset)
		case unplaceable(err):
			f.setAside(c.dataset, c.id, commitKey(c.dataset, c.id), unplaced, "it does not follow on what is there: %v", err)
		default:
			return fmt.Errorf("commit %d of dataset %s: %w", c.id, c.dataset, err)
		}
	}
	return nil
}

// unplaceable reports whether err says that a commit contradicts what the catalog has.
func unplaceable(err error) bool {
	return errors.Is(err, catalog.ErrNotFound) || errors.Is(err, catalog.ErrMoved) || catalog.IsConstraint(err) || KindOf(err) != Internal
}

// replay records one commit, and what it played, as its description tells.
func (s *Store) replay(tx catalog.Tx, c *fresh) error {
	if c.Birth != nil {
		if err := s.bear(tx, *c.Birth); err != nil {
			return err
		}
	}
	d, err := tx.Dataset(c.dataset)
	if err != nil {
		return err
	}
	if c.Commit.Mode == catalog.Fork && d.ForkCommit != 0 {
		if _, err := tx.Commit(d.UpstreamID, d.ForkCommit); err != nil {
			return err
		}
	}
	made, err := madeAs(tx, d)
	if err != nil {
		return err
	}
	w, err := s.redo(made, c.manifest)
	if err != nil {
		return err
	}
	return w.record(tx)
}

// madeAs is a dataset as it was before its first commit.
func madeAs(tx catalog.Tx, d catalog.Dataset) (State, error) {
	schema, errSchema := tx.Schema(d.SchemaID)
	properties, errProperties := tx.Properties(d.PropertiesID)
	return State{Dataset: d, Schema: schema, Properties: properties}, errors.Join(errSchema, errProperties)
}

// redo is the work that a description tells of.
func (s *Store) redo(made State, m manifest) (*work, error) {
	w := &work{
		store: s, commit: m.Commit, schema: m.Schema, properties: m.Properties, opened: m.Opened,
		reopened: filesOf(m.Reopened), closed: filesOf(m.Closed), marks: m.Marks, savepoints: m.Savepoints, answers: m.answers,
		family: newFamily(m.LastRow, m.LastField), head: &Snapshot{State: made},
	}
	for _, f := range m.Opened {
		s.fileIDs.Store(max(s.fileIDs.Load(), f.ID))
	}
	for _, p := range m.Played {
		played, err := s.redo(made, p)
		if err != nil {
			return nil, err
		}
		w.played = append(w.played, played)
	}
	return w, w.nameDocuments()
}

func filesOf(ids []int64) []*catalog.File {
	out := make([]*catalog.File, len(ids))
	for i, id := range ids {
		out[i] = &catalog.File{ID: id}
	}
	return out
}

// activate makes versions active as the commits that were placed did.
func (f *forward) activate(tx catalog.Tx) error {
	for _, c := range f.placed {
		if err := activate(tx, c.Commit, c.Activates); err != nil {
			return err
		}
	}
	return nil
}

// reserve has no number be given again that a folder bears, whether it was placed or not.
func (f *forward) reserve(tx catalog.Tx) error {
	for _, s := range f.shelves {
		folders, err := f.store.commitsOf(s.id)
		if err != nil {
			return err
		}
		if len(folders) > 0 {
			if err := tx.Advance("commit", folders[len(folders)-1]); err != nil {
				return err
			}
		}
		for _, c := range s.fresh {
			if err := reserve(tx, c.manifest); err != nil {
				return err
			}
		}
	}
	return f.store.reserveQuarantined(tx)
}
