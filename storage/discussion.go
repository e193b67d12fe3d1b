package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
	if err := checkSaid(n.Text); err != nil {
		return e, err
	}
	if err := checkEntryKey(tx, about, n.Key); err != nil {
		return e, err
	}
	return catalog.DiscussionEntry{Kind: catalog.EntryComment, Text: n.Text, Key: n.Key}, nil
}

// checkSaid refuses the text of a comment that says nothing, or too much.
func checkSaid(text string) error {
	if strings.TrimSpace(text) == "" {
		return fault.Errorf(fault.Invalid, "invalid_field", "text: is empty. Write what you want to say.").
			With("field", "text")
	}
	return checkText("text", text)
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
	if bytes := saidIn(to) + said(e); bytes > mostSaid {
		return to, e, full.Sayf("The discussion of %s may have %d bytes of text, and would have %d with this. %s",
			what, mostSaid, bytes, remedy)
	}
	e.ID, e.User, e.CreatedAt = int64(len(to))+1, user, at
	return append(to, e), e, nil
}

// corrected changes what a comment says; nil: it says nothing any more. Its place and its number stay.
func corrected(
	in []catalog.DiscussionEntry, id int64, text *string, at time.Time,
) (e catalog.DiscussionEntry, err error) {
	i := slices.IndexFunc(in, func(e catalog.DiscussionEntry) bool { return e.ID == id })
	if i < 0 || in[i].Kind != catalog.EntryComment || !in[i].DeletedAt.IsZero() {
		return e, fault.Errorf(fault.NotFound, "comment_not_found",
			"There is no comment %d here. It may have been deleted.", id)
	}
	if text == nil {
		in[i].Text, in[i].Key, in[i].EditedAt, in[i].DeletedAt = "", nil, time.Time{}, at
		return in[i], nil
	}
	if err := checkSaid(*text); err != nil {
		return e, err
	}
	if bytes := saidIn(in) - len(in[i].Text) + len(*text); bytes > mostSaid {
		return e, fault.Errorf(fault.Conflict, "discussion_full",
			"The discussion may have %d bytes of text, and would have %d with this. Shorten it.", mostSaid, bytes)
	}
	in[i].Text, in[i].EditedAt = *text, at
	return in[i], nil
}

// saidIn is how many bytes people wrote in a discussion.
func saidIn(entries []catalog.DiscussionEntry) (n int) {
	for _, e := range entries {
		n += said(e)
	}
	return n
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
) (catalog.DiscussionEntry, error) {
	return s.changeDiscussion(ctx, of, r, func(
		tx catalog.Tx, about catalog.Dataset, d *catalog.Discussion,
	) (e catalog.DiscussionEntry, err error) {
		if e, err = n.entry(tx, about); err != nil {
			return e, err
		}
		d.Entries, e, err = added(
			d.Entries, e, d.UpdatedAt, r.User, "this comparison", "Continue elsewhere: propose a merge.")
		return e, err
	})
}

// CorrectRemark changes what a comment on a comparison says; nil: it is deleted.
func (s *Store) CorrectRemark(
	ctx context.Context, of catalog.Compared, id int64, text *string, r Request,
) (catalog.DiscussionEntry, error) {
	return s.changeDiscussion(ctx, of, r, func(
		_ catalog.Tx, _ catalog.Dataset, d *catalog.Discussion,
	) (catalog.DiscussionEntry, error) {
		return corrected(d.Entries, id, text, d.UpdatedAt)
	})
}

// changeDiscussion changes the discussion of a comparison under its lock, and records what the request is answered with.
func (s *Store) changeDiscussion(
	ctx context.Context, of catalog.Compared, r Request,
	change func(tx catalog.Tx, about catalog.Dataset, d *catalog.Discussion) (catalog.DiscussionEntry, error),
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
		d.UpdatedAt = s.now()
		if d.Revision == 0 {
			d.Compared, d.CreatedAt = of, d.UpdatedAt
		}
		if e, err = change(tx, about, &d); err != nil {
			return err
		}
		a, err := answer(s.Requests, tx, r, e)
		if err != nil {
			return err
		}
		return l.putDiscussion(tx, d, a)
	})
}
