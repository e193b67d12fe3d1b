package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// NewFork is what a fork is made with. The zero value is a fork of the head, under a name that is made for it.
type NewFork struct {
	ID          string  // of the fork; empty: a new one
	Name        string  // empty: "FORK #n of" and the upstream's
	Description *string // nil: the upstream's
	Notes       *string // nil: the upstream's
	Unpublished bool    // people are told so
	ProjectID   int64   // 0: the upstream's
	Ref         string  // of the upstream; empty: head
	Namesake    bool    // make it even where the name is taken: it is asked for by its id then
}

// Fork makes a dataset that shares the history of another up to a ref: it refers to the commits and files of that one,
// so that nothing is copied, however long the history. Either can be deleted without harm to the other. The fork stands
// with a commit of its own, which has its name, and one savepoint.
func (s *Store) Fork(ctx context.Context, upstream string, n NewFork, r Request) (snapshot.State, error) {
	d, err := s.anyDataset(ctx, upstream)
	if err != nil {
		return snapshot.State{}, err
	}
	// While it is made, no rows are removed for ever: it would not know.
	unlock, err := s.catalog.Lock(ctx, forkLock(d.FamilyID))
	if err != nil {
		return snapshot.State{}, err
	}
	defer unlock()
	from, name, err := s.forkPoint(ctx, upstream, n)
	if err != nil {
		return snapshot.State{}, err
	}
	if err := r.expects(from.Dataset); err != nil {
		return snapshot.State{}, err
	}
	n.Name = cmp.Or(n.Name, name)
	// The fork starts with its upstream's documents and head; what makes it a dataset of its own is its first commit.
	made, err := s.newForked(ctx, from, n)
	if err != nil {
		return snapshot.State{}, err
	}
	w, err := s.beginNew(ctx, made, r, catalog.Fork)
	if err != nil {
		return snapshot.State{}, err
	}
	defer w.end()
	if err := w.startFork(ctx, from, n); err != nil {
		return snapshot.State{}, err
	}
	return publish(ctx, w, asState)
}

// forkPoint is the state of a dataset that a fork starts with, and a name for it that is free.
func (h *History) forkPoint(
	ctx context.Context, upstream string, n NewFork,
) (from *snapshot.Snapshot, name string, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeFor(Reading(ctx), tx, upstream)
		if err != nil {
			return err
		}
		commit, err := resolve(tx, d, n.Ref, h.now)
		if err != nil {
			return err
		}
		if from, err = h.snapshot(tx, d, commit); err != nil {
			return err
		}
		name, err = freeForkName(tx, d, cmp.Or(n.ProjectID, d.ProjectID))
		return err
	})
	return from, name, err
}

// freeForkName numbers a dataset's forks.
func freeForkName(tx catalog.Tx, d catalog.Dataset, project int64) (string, error) {
	forks, err := tx.CountForks(d.ID)
	// The count may be behind names that were given by hand, so it goes on until one is free.
	for err == nil {
		forks++
		name := fmt.Sprintf("FORK #%d of %s", forks, d.Name)
		if _, err = tx.DatasetByName(project, name); errors.Is(err, catalog.ErrNotFound) {
			return name, nil
		}
	}
	return "", err
}

// newForked is the fork before its first own commit: it starts where its upstream did, and has its commits up to the
// ref.
func (s *Store) newForked(ctx context.Context, from *snapshot.Snapshot, n NewFork) (*birth, error) {
	start := NewDataset{
		ID: n.ID, ProjectID: cmp.Or(n.ProjectID, from.Dataset.ProjectID), Name: n.Name, Namesake: n.Namesake,
	}
	made, err := s.newCreation(ctx, start, start.properties())
	if err != nil {
		return nil, err
	}
	d, up := &made.Dataset, from.Dataset
	// Of the family: row ids, column ids and files mean the same in both, which merging and comparing rely on.
	d.FamilyID, d.UpstreamID = up.FamilyID, up.ID
	d.Head, d.ForkCommit = from.Commit.ID, from.Commit.ID
	d.SchemaID, d.PropertiesID = up.SchemaID, up.PropertiesID
	return made, s.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		var errSchema, errProperties error
		made.Schema, errSchema = tx.Schema(up.SchemaID)
		made.Properties, errProperties = tx.Properties(up.PropertiesID)
		return errors.Join(errSchema, errProperties)
	})
}

// startFork makes the fork's first own commit.
func (w *work) startFork(ctx context.Context, from *snapshot.Snapshot, n NewFork) error {
	head := *from
	head.Dataset = w.creates.Dataset
	w.head, w.commit.Previous = &head, from.Commit.ID
	w.schema, w.properties = from.Schema, ofCopy(from.Properties, w.creates.Dataset.Name)
	w.properties.Unpublished = n.Unpublished
	if n.Description != nil {
		w.properties.Description = *n.Description
	}
	if n.Notes != nil {
		w.properties.Notes = *n.Notes
	}
	w.setParam("upstream", from.Dataset.ID)
	w.setParam("upstream_name", from.Dataset.Name)
	w.setParam("commit", from.Commit.ID)
	w.bookmark(w.store.newID(), 0, w.commit.ID, forkNote(from.Dataset.Name))
	return w.store.catalog.Read(ctx, func(tx catalog.Tx) error { return w.join(tx, from.Dataset.FamilyID) })
}

// Forks lists the forks of a dataset that are not deleted, as of their heads, in the order they were made.
func (h *History) Forks(ctx context.Context, upstream string) (list []snapshot.State, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeFor(ctx, tx, upstream)
		if err != nil {
			return err
		}
		forks, err := tx.Forks(d.ID)
		if err == nil {
			forks, err = seenBy(ctx, tx, forks)
		}
		if err != nil {
			return err
		}
		list, err = statesOf(tx, forks)
		return err
	})
	return list, err
}
