package storage

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rowback/rowback/storage/catalog"
)

const discussionPrefix = "discussion-"

// discussionLabelName is the name of the label of a comparison's discussion.
func discussionLabelName(of catalog.Compared) string {
	name := fmt.Sprintf("%s%d-%d", discussionPrefix, of.FromCommit, of.ToCommit)
	if of.ToDatasetID != of.DatasetID {
		name += "-" + of.ToDatasetID
	}
	return name
}

// discussionLabel is a discussion, with the answers to the requests that changed it.
type discussionLabel struct {
	catalog.Discussion
	answers
}

// putDiscussion records a discussion and the answers to a request, and writes the label, with the answers that it had
// before.
func (l *labels) putDiscussion(tx catalog.Tx, d catalog.Discussion, a answers) error {
	d.Revision++
	if err := errors.Join(tx.PutDiscussion(d), a.record(tx)); err != nil {
		return err
	}
	name := discussionLabelName(d.Compared)
	kept, err := l.kept(d.DatasetID, name)
	if err != nil {
		return err
	}
	a.Receipts = append(kept.Receipts, a.Receipts...)
	return l.put(d.DatasetID, name, discussionLabel{d, a})
}

// recordDiscussion records a discussion as its label has it.
func (f *forward) recordDiscussion(tx catalog.Tx, dataset, key string) error {
	var l discussionLabel
	if err := f.read(key, &l); err != nil {
		return err
	}
	known, err := tx.Discussion(l.Compared)
	switch {
	case err == nil && known.Revision == l.Revision:
		return l.record(tx)
	case err != nil && !errors.Is(err, catalog.ErrNotFound):
		return err
	}
	// The commits need not be there: of a state that was vacuumed, what was said stays.
	if err := fits(tx, dataset, l.DatasetID, 0); err != nil {
		return err
	}
	f.step("the discussion of commits %d and %d of dataset %s", l.FromCommit, l.ToCommit, dataset)
	return errors.Join(tx.PutDiscussion(l.Discussion), l.record(tx))
}

// describesDiscussion is describes for the label of a discussion.
func describesDiscussion(tx catalog.Tx, dataset, name string, text []byte) bool {
	var l discussionLabel
	if json.Unmarshal(text, &l) != nil || l.DatasetID != dataset || discussionLabelName(l.Compared) != name {
		return false
	}
	d, err := tx.Discussion(l.Compared)
	return err == nil && d.Revision == l.Revision
}

// unsayDiscussion takes keys out of one discussion, and out of the answers that its requests were given.
func (l *labels) unsayDiscussion(tx catalog.Tx, of catalog.Compared, names []string) error {
	d, err := tx.Discussion(of)
	if err != nil {
		return err
	}
	if found, err := unsayEntries(d.Entries, names); err != nil || !found {
		return err
	}
	kept, err := l.keptWithoutKeys(of.DatasetID, discussionLabelName(of))
	if err != nil {
		return err
	}
	d.Revision++
	if err := errors.Join(tx.PutDiscussion(d), kept.replace(tx)); err != nil {
		return err
	}
	return l.put(of.DatasetID, discussionLabelName(of), discussionLabel{d, kept})
}
