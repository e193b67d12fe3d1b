package storage

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// apply records what was chosen. All of it is one transaction: a crash in between leaves the catalog as it was.
func (f *forward) apply(tx catalog.Tx) error {
	before, err := deletions(tx)
	if err != nil {
		return err
	}
	if err := f.areStill(tx); err != nil {
		return err
	}
	for _, commit := range f.given {
		if err := tx.Withdraw(commit, f.now()); err != nil {
			return err
		}
	}
	if err := f.parkNames(tx); err != nil {
		return err
	}
	for _, step := range []func(catalog.Tx) error{f.bear, f.remove, f.place, f.readLabels, f.activate, f.reserve} {
		if err := step(tx); err != nil {
			return err
		}
	}
	return f.settleNames(tx, before)
}

// areStill makes sure that no server has taken back a commit since it was found.
func (f *forward) areStill(tx catalog.Tx) error {
	withdrawn, err := tx.Withdrawn()
	if err == nil && !slices.Equal(withdrawn, f.withdrawn) {
		err = errors.New("another server has taken back a commit meanwhile: start again")
	}
	return err
}

// bear records the datasets that were made without a commit. They count as deleted until all names are settled.
func (f *forward) bear(tx catalog.Tx) error {
	for _, s := range f.shelves {
		withCommit := slices.ContainsFunc(s.path, func(c *fresh) bool { return c.Birth != nil })
		if s.born == nil || s.born.Dataset.IsFork() || withCommit {
			continue
		}
		born := *s.born
		born.Dataset.DeletedAt = parked
		err := tx.Try(func() error { return born.add(tx) })
		if unplaceable(err) {
			f.setAside(s.id, 0, labelKey(s.id, birthLabel), unplaced,
				"how its dataset was made does not fit what is there: %v", err)
			continue
		}
		if err != nil {
			return fmt.Errorf("dataset %s: %w", s.id, err)
		}
		f.step("dataset %s was made", s.id)
	}
	return nil
}

// place records the commits, oldest first. What the catalog refuses can't be placed, nor what follows on it.
func (f *forward) place(tx catalog.Tx) error {
	all := map[int64]*fresh{}
	for _, s := range f.shelves {
		for _, c := range s.path {
			if other := all[c.id]; other != nil {
				f.setAside(c.dataset, c.id, commitKey(c.dataset, c.id), unplaced,
					"dataset %s has a commit of the same id", other.dataset)
				continue
			}
			all[c.id] = c
		}
	}
	// By id over all datasets: a fork or a merge refers to commits that were made before it, whatever directory they
	// are in.
	for _, id := range slices.Sorted(maps.Keys(all)) {
		c := all[id]
		// What the catalog refuses is taken back alone: one that can't be placed does not keep the others from it.
		err := tx.Try(func() error { return recordAgain(tx, c) })
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
	return errors.Is(err, catalog.ErrNotFound) || errors.Is(err, catalog.ErrMoved) || catalog.IsConstraint(err) ||
		fault.KindOf(err) != fault.Internal
}

// recordAgain records one commit, and all that was made with it, as its description says. It runs the same code as the
// commit itself, so that both record the same rows.
func recordAgain(tx catalog.Tx, c *fresh) error {
	made, err := madeAs(tx, c)
	if err != nil {
		return err
	}
	p, err := c.publication(made)
	if err != nil {
		return err
	}
	return p.record(tx)
}

// madeAs is a commit's dataset as it was before its first commit. One that is made with the commit counts as deleted
// until all names are settled.
func madeAs(tx catalog.Tx, c *fresh) (snapshot.State, error) {
	if c.Birth != nil {
		c.Birth.Dataset.DeletedAt = parked
		return c.Birth.state(), nil
	}
	d, err := tx.Dataset(c.dataset)
	if err != nil {
		return snapshot.State{}, err
	}
	schema, errSchema := tx.Schema(d.SchemaID)
	properties, errProperties := tx.Properties(d.PropertiesID)
	return snapshot.State{Dataset: d, Schema: schema, Properties: properties}, errors.Join(errSchema, errProperties)
}

// activate makes versions active as the commits that were placed did, and proposals merged.
func (f *forward) activate(tx catalog.Tx) error {
	for _, c := range f.placed {
		if err := activate(tx, c.Commit, c.Activates); err != nil {
			return err
		}
		if err := mergedProposal(tx, c.Commit, c.Proposal); err != nil {
			return err
		}
	}
	return nil
}

// reserve makes sure that no number that a directory has is given again, whether the directory was placed or not.
func (f *forward) reserve(tx catalog.Tx) error {
	for _, s := range f.shelves {
		if s.born != nil && s.born.Used != nil {
			if err := errors.Join(tx.Advance(catalog.CommitIDs, s.born.Used.Commit),
				tx.Advance(catalog.FileIDs, s.born.Used.File)); err != nil {
				return err
			}
		}
		if s.highest > 0 {
			if err := tx.Advance(catalog.CommitIDs, s.highest); err != nil {
				return err
			}
		}
		for _, c := range s.fresh {
			if err := reserve(tx, c.manifest); err != nil {
				return err
			}
		}
	}
	for _, a := range f.aside {
		if number, ok := parseProposal(labelName(a.key)); ok {
			if err := tx.Advance(proposalSequence(a.Dataset), number); err != nil {
				return err
			}
		}
		if number, ok := parseSavepoint(labelName(a.key)); ok {
			if err := tx.Advance(savepointSequence(a.Dataset), number); err != nil {
				return err
			}
		}
	}
	return f.reserveQuarantined(tx)
}
