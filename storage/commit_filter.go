package storage

import (
	"context"
	"slices"
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
	if f.isOpen() {
		return h.Commits(ctx, dataset, f.Before, f.Limit)
	}
	const size = 1000
	for len(list) < f.Limit {
		// What the client is not to know is hidden before the filter sees it, or a search would find it.
		page, err := h.Commits(ctx, dataset, f.Before, size)
		if err != nil {
			return nil, err
		}
		for _, c := range page {
			if f.selects(c) {
				list = append(list, c)
			}
		}
		if len(page) < size {
			break
		}
		f.Before = page[size-1].ID
	}
	return list[:min(f.Limit, len(list))], nil
}

// isOpen reports whether the filter has no conditions.
func (f CommitFilter) isOpen() bool {
	return len(f.Modes) == 0 && f.User == "" && f.Text == "" && f.Since.IsZero() && f.Until.IsZero()
}

// selects reports whether a commit meets all of the filter's conditions.
func (f CommitFilter) selects(c catalog.Commit) bool {
	return (len(f.Modes) == 0 || slices.Contains(f.Modes, c.Mode)) && (f.User == "" || f.User == c.User) &&
		(f.Text == "" || strings.Contains(strings.ToLower(c.Message), strings.ToLower(f.Text))) &&
		!c.CreatedAt.Before(f.Since) && (f.Until.IsZero() || !c.CreatedAt.After(f.Until))
}
