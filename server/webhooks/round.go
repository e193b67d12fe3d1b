package webhooks

import (
	"context"
	"database/sql"
	"errors"
	"maps"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// round is one time of looking for events. It writes as it goes, in transactions of a bounded size.
type round struct {
	*feed
	ctx       context.Context
	hooks     []Hook
	events    []Event         // to be queued
	marks     map[string]mark // to be set with that
	told      map[proposalKey]proposalMark
	discussed map[catalog.Compared]discussionMark
	version   int64
}

// look finds the events of some datasets; nil: of all. What is noted under no name is of all, too.
func (r *round) look(names map[string]bool) error {
	if names == nil || names[""] {
		last, err := r.Store.LastVersion(r.ctx)
		if err != nil {
			return err
		}
		r.version = min(r.version, last) // the data directory was put back to an earlier state
		err = r.Store.EveryDataset(r.ctx, pageSize, func(page []catalog.Dataset) error {
			for _, d := range page {
				if err := r.dataset(d); err != nil {
					return err
				}
			}
			return nil
		})
		return errors.Join(err, r.versions())
	}
	for id := range names {
		d, err := r.Store.AnyDataset(r.ctx, id)
		if fault.KindOf(err) == fault.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		if err := r.dataset(d); err != nil {
			return err
		}
	}
	return r.versions()
}

// dataset finds the events of a dataset.
func (r *round) dataset(d catalog.Dataset) error {
	before, known := r.feed.marks[d.ID]
	m := before
	if !known {
		m.commit = d.ForkCommit // a fork's first commits are its upstream's
		r.events = append(r.events, ofDataset(d, DatasetCreated, d.CreatedAt, nil))
	}
	m, err := r.commits(d, m)
	if err != nil {
		return err
	}
	if err := errors.Join(r.proposals(d), r.discussions(d)); err != nil {
		return err
	}
	switch {
	case m.deleted.Equal(d.DeletedAt):
	case d.DeletedAt.IsZero():
		r.events = append(r.events, ofDataset(d, DatasetUndeleted, r.now(), nil, micros(m.deleted)))
	default:
		r.events = append(r.events, ofDataset(d, DatasetDeleted, d.DeletedAt,
			map[string]any{"deleted_at": d.DeletedAt}, micros(d.DeletedAt)))
	}
	m.deleted = d.DeletedAt
	if m != before || !known {
		r.marks[d.ID] = m
	}
	return r.flushIfLarge()
}

// commits finds the events of a dataset's commits after a mark, and returns where the mark is then.
func (r *round) commits(d catalog.Dataset, m mark) (mark, error) {
	// The data directory was put back to an earlier state.
	m.commit = min(m.commit, max(d.Head, d.ForkCommit))
	for m.commit < d.Head {
		page, err := r.Store.CommitsSince(r.ctx, d.ID, m.commit, pageSize)
		if err != nil || len(page) == 0 {
			return m, err
		}
		for _, c := range page {
			m.commit = c.ID
			if c.MergeCommitID == 0 { // those that a merge played are in its event
				r.events = append(r.events, commitEvents(d, c)...)
			}
		}
		r.marks[d.ID] = mark{m.commit, r.feed.marks[d.ID].deleted}
		if err := r.flushIfLarge(); err != nil {
			return m, err
		}
	}
	return m, nil
}

// versions finds the events of new versions, whatever their dataset: their ids are of one sequence.
func (r *round) versions() error {
	for {
		page, err := r.Store.VersionsSince(r.ctx, r.version, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, v := range page {
			r.version = v.ID
			d, err := r.Store.AnyDataset(r.ctx, v.DatasetID)
			if fault.KindOf(err) == fault.NotFound {
				continue
			}
			if err != nil {
				return err
			}
			r.events = append(r.events, versionEvent(d, v))
		}
		if err := r.flushIfLarge(); err != nil {
			return err
		}
	}
}

// flushIfLarge queues what was found, if it is much.
func (r *round) flushIfLarge() error {
	if len(r.events) < pageSize && len(r.marks) < pageSize && len(r.told)+len(r.discussed) < pageSize {
		return nil
	}
	return r.flush()
}

// flush queues the events that were found, and moves the marks, in one transaction.
func (r *round) flush() error {
	if len(r.events)+len(r.marks)+len(r.told)+len(r.discussed) == 0 && r.version == r.feed.version {
		return nil
	}
	err := r.DB.Write(r.ctx, func(tx *sql.Tx) error {
		err := errors.Join(
			setMarks(tx, r.marks, r.version), setProposals(tx, r.told), setDiscussions(tx, r.discussed))
		if err != nil {
			return err
		}
		return r.enqueueAll(tx, r.hooks, r.events)
	})
	if err != nil {
		return err
	}
	maps.Copy(r.feed.marks, r.marks)
	maps.Copy(r.feed.proposals, r.told)
	maps.Copy(r.feed.discussions, r.discussed)
	r.feed.version = r.version
	r.feed.moves++
	r.events, r.marks, r.told = nil, map[string]mark{}, map[proposalKey]proposalMark{}
	r.discussed = map[catalog.Compared]discussionMark{}
	r.wake()
	return nil
}
