package storage

import (
	"context"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/catalog"
)

// CommitFilter selects commits, newest first. Zero values select all. Conditions are joined by AND; modes among
// themselves by OR.
type CommitFilter struct {
	Modes        []catalog.Mode
	User         string
	Text         string    // a part of the message, ignoring case
	Since, Until time.Time // both included
	Before       int64     // only commits with lower ids
	Limit        int
}

// FindCommits lists what the filter selects of a dataset's commits, as Commits lists all of them.
func (h *History) FindCommits(
	ctx context.Context, dataset string, f CommitFilter,
) (list []catalog.Commit, err error) {
	part := catalog.CommitFilter{
		Modes: f.Modes, User: f.User, Since: f.Since, Until: f.Until, Before: f.Before, Limit: f.Limit,
	}
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		if f.Text != "" {
			list, err = f.withText(ctx, tx, dataset, part)
			return err
		}
		if list, err = tx.FilteredCommits(dataset, part); err != nil {
			return err
		}
		return hideOrigins(ctx, tx, list)
	})
	return list, err
}

// withText lists what a part of the filter selects and has the text in its message. Messages are read by themselves:
// of a long history, few commits have the text.
func (f CommitFilter) withText(
	ctx context.Context, tx catalog.Tx, dataset string, part catalog.CommitFilter,
) (list []catalog.Commit, err error) {
	has := func(message string) bool { return strings.Contains(strings.ToLower(message), strings.ToLower(f.Text)) }
	const size = 5000
	part.Limit = size
	for {
		page, err := tx.CommitMessages(dataset, part)
		if err != nil {
			return nil, err
		}
		for _, m := range page {
			if !has(m.Message) {
				continue
			}
			one, err := tx.Commit(dataset, m.ID)
			if err != nil {
				return nil, err
			}
			found := []catalog.Commit{one}
			if err := hideOrigins(ctx, tx, found); err != nil {
				return nil, err
			}
			// Again: the client is not to know what is hidden in it, nor to find it by that.
			if has(found[0].Message) {
				list = append(list, found[0])
			}
			if len(list) == f.Limit {
				return list, nil
			}
		}
		if len(page) < size {
			return list, nil
		}
		part.Before = page[size-1].ID
	}
}
