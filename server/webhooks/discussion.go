package webhooks

import (
	"database/sql"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// discussionMark is up to where the events of a discussion of a comparison were queued.
type discussionMark struct {
	revision int64 // how often it had been written
	entry    int64 // the last one
}

// discussions finds the events of the discussions of a dataset's comparisons.
func (r *round) discussions(d catalog.Dataset) error {
	list, err := r.Store.AllDiscussions(r.ctx, d.ID)
	if err != nil {
		return err
	}
	for _, head := range list {
		before := r.feed.discussions[head.Compared]
		if before.revision == head.Revision {
			continue
		}
		of, err := r.Store.AnyDiscussion(r.ctx, head.Compared)
		if fault.KindOf(err) == fault.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range of.Entries {
			if e.ID > before.entry && e.DeletedAt.IsZero() && !e.CreatedAt.Before(r.feed.discussedSince) {
				r.events = append(r.events, remarkEvent(d, of, e))
			}
		}
		r.discussed[head.Compared] = discussionMark{of.Revision, int64(len(of.Entries))}
	}
	return nil
}

// remarkEvent returns the event of a comment on a comparison. Another dataset of it is not named: it may be of a project
// that the receiver may not know of.
func remarkEvent(d catalog.Dataset, of catalog.Discussion, e catalog.DiscussionEntry) Event {
	more := map[string]any{
		"comparison": map[string]any{
			"from_commit": of.FromCommit, "to_commit": of.ToCommit, "comments": of.Comments,
			"is_of_two_datasets": of.DatasetID != of.ToDatasetID,
		},
		"entry": map[string]any{"id": e.ID, "user": e.User, "text": clip(e.Text)},
	}
	return ofDataset(d, CompareCommented, e.CreatedAt, more,
		of.FromCommit, of.ToDatasetID, of.ToCommit, micros(of.CreatedAt), e.ID)
}

// loadDiscussions reads the marks of discussions.
func (f *feed) loadDiscussions() error {
	marks := map[catalog.Compared]discussionMark{}
	_, err := list(f.DB, func(s scanner) (none struct{}, err error) {
		var of catalog.Compared
		var m discussionMark
		err = s.Scan(&of.DatasetID, &of.FromCommit, &of.ToDatasetID, &of.ToCommit, &m.revision, &m.entry)
		marks[of] = m
		return none, err
	}, `SELECT dataset_id, from_commit, to_dataset_id, to_commit, revision, entry FROM webhook_discussions`)
	if err != nil {
		return err
	}
	var since int64
	err = f.DB.QueryRow(`SELECT at FROM webhook_discussions_since`).Scan(&since)
	f.discussions, f.discussedSince = marks, moment(since)
	return err
}

// setDiscussions records the marks of discussions.
func setDiscussions(tx *sql.Tx, marks map[catalog.Compared]discussionMark) error {
	for of, m := range marks {
		if _, err := tx.Exec(`INSERT INTO webhook_discussions
			(dataset_id, from_commit, to_dataset_id, to_commit, revision, entry) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
			ON CONFLICT (dataset_id, from_commit, to_dataset_id, to_commit) DO UPDATE SET revision = excluded.revision,
			entry = excluded.entry`,
			of.DatasetID, of.FromCommit, of.ToDatasetID, of.ToCommit, m.revision, m.entry); err != nil {
			return err
		}
	}
	return nil
}

// forgetDiscussions has the discussions that there are count as told, when a first webhook is made.
func forgetDiscussions(tx *sql.Tx, now time.Time) error {
	if _, err := tx.Exec(`DELETE FROM webhook_discussions`); err != nil {
		return err
	}
	_, err := tx.Exec(`UPDATE webhook_discussions_since SET at = ?1`, micros(now))
	return err
}
