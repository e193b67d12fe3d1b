package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// People discuss proposals, and the difference between two states. Both are labels of a dataset (label.go).

// NewComment is something that is said about a proposal, a comparison, or a record that one of them changes.
type NewComment struct {
	Text string
	Key  map[string]json.RawMessage // of the record; nil: it is about the whole
}

// entry checks a comment on what a dataset has, and returns it as an entry of a discussion.
func (n NewComment) entry(tx catalog.Tx, about catalog.Dataset) (e catalog.DiscussionEntry, err error) {
	if strings.TrimSpace(n.Text) == "" {
		return e, fault.Errorf(fault.Invalid, "invalid_field", "text: is empty. Write what you want to say.").
			With("field", "text")
	}
	if err := checkText("text", n.Text); err != nil {
		return e, err
	}
	if err := checkEntryKey(tx, about, n.Key); err != nil {
		return e, err
	}
	return catalog.DiscussionEntry{Kind: catalog.EntryComment, Text: n.Text, Key: n.Key}, nil
}

// added returns a discussion with another entry, or refuses it where the discussion is full; what names the discussion,
// and remedy says what to do then.
func added(
	to []catalog.DiscussionEntry, e catalog.DiscussionEntry, at time.Time, user, what, remedy string,
) ([]catalog.DiscussionEntry, catalog.DiscussionEntry, error) {
	full := fault.New(fault.Conflict, "discussion_full")
	if len(to) >= mostDiscussion {
		return to, e, full.Sayf("The discussion of %s has %d entries, which is the most. %s", what, mostDiscussion, remedy)
	}
	bytes := said(e)
	for _, before := range to {
		bytes += said(before)
	}
	if bytes > mostSaid {
		return to, e, full.Sayf("The discussion of %s may have %d bytes of text, and would have %d with this. %s",
			what, mostSaid, bytes, remedy)
	}
	e.ID, e.User, e.CreatedAt = int64(len(to))+1, user, at
	return append(to, e), e, nil
}

// said is how many bytes people wrote in an entry.
func said(e catalog.DiscussionEntry) int {
	n := len(e.Text)
	for name, value := range e.Key {
		n += len(name) + len(value)
	}
	return n
}

// discussed is the name under which a comparison is discussed. The states of one dataset have one discussion, whichever
// of them comes first.
func discussed(of catalog.Compared) catalog.Compared {
	if of.DatasetID == of.ToDatasetID && of.ToCommit < of.FromCommit {
		of.FromCommit, of.ToCommit = of.ToCommit, of.FromCommit
	}
	return of
}

// Discussion returns what was said about a comparison; no entries: nothing was. The order of two states of one dataset
// makes no difference.
func (h *History) Discussion(ctx context.Context, of catalog.Compared) (d catalog.Discussion, err error) {
	of = discussed(of)
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		if err := checkCompared(ctx, tx, of); err != nil {
			return err
		}
		d, err = tx.Discussion(of)
		return ifFound(err)
	})
	d.Compared = of
	return d, err
}

// checkCompared refuses a comparison that the client of a request may not see.
func checkCompared(ctx context.Context, tx catalog.Tx, of catalog.Compared) error {
	if _, err := activeFor(ctx, tx, of.DatasetID); err != nil || of.DatasetID == of.ToDatasetID {
		return err
	}
	_, err := activeFor(Reading(ctx), tx, of.ToDatasetID)
	return err
}

// Discussed is a discussion in a list.
type Discussed struct {
	catalog.Discussion
	To *catalog.Dataset // the other dataset; nil: it is the same one
}

// Discussions lists the comparisons of a dataset that were discussed, as far as the client of the request may know of
// them, without what was said. The last one that changed comes first.
func (h *History) Discussions(ctx context.Context, dataset string) (out []Discussed, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		if _, err := activeFor(ctx, tx, dataset); err != nil {
			return err
		}
		list, err := tx.Discussions(dataset)
		for _, d := range list {
			one := Discussed{Discussion: d}
			if d.ToDatasetID != dataset {
				to, err := tx.Dataset(d.ToDatasetID)
				if err != nil && ifFound(err) != nil {
					return err
				}
				if err != nil || !sees(ctx, to) || !to.DeletedAt.IsZero() {
					continue
				}
				one.To = &to
			}
			out = append(out, one)
		}
		return err
	})
	return out, err
}

// Discuss adds a comment on the difference between two states of datasets of one family. The states are commits that
// the datasets have; 0 is the state before the first.
func (s *Store) Discuss(
	ctx context.Context, of catalog.Compared, n NewComment, r Request,
) (e catalog.DiscussionEntry, err error) {
	of = discussed(of)
	unlock, err := s.catalog.Lock(ctx, fmt.Sprintf("discussion\x00%s\x00%s", of.DatasetID, discussionLabelName(of)))
	if err != nil {
		return e, err
	}
	defer unlock()
	return e, s.label(ctx, r, func(tx catalog.Tx, l *labels) error {
		about, err := activeFor(ctx, tx, of.DatasetID)
		if err == nil {
			err = checkCompared(ctx, tx, of)
		}
		if err == nil {
			err = r.expects(about)
		}
		if err != nil {
			return err
		}
		d, err := tx.Discussion(of)
		if ifFound(err) != nil {
			return err
		}
		now := s.now()
		if d.Revision == 0 {
			d.Compared, d.CreatedAt = of, now
		}
		if e, err = n.entry(tx, about); err != nil {
			return err
		}
		d.Entries, e, err = added(d.Entries, e, now, r.User, "this comparison", "Continue elsewhere: propose a merge.")
		if err != nil {
			return err
		}
		d.UpdatedAt = now
		a, err := answer(s.Requests, tx, r, e)
		if err != nil {
			return err
		}
		return l.putDiscussion(tx, d, a)
	})
}
