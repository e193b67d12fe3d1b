package storage

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// A tag is a label (label.go): its text among the objects has it, or says that it was removed.

const tagPrefix = "tag-"

// tagLabelName is the name of a tag's label: file systems may take A and a for one.
func tagLabelName(tag string) string { return tagPrefix + hex.EncodeToString([]byte(tag)) }

// tagLabel is a tag as its label has it. RemovedAt is set once it was removed: without that, a start would bring it
// back.
type tagLabel struct {
	catalog.Tag
	RemovedAt time.Time `json:"removed_at,omitzero"`
	answers
}

// Tags lists a dataset's tags by name.
func (h *History) Tags(ctx context.Context, dataset string) (list []catalog.Tag, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error { list, err = tx.Tags(dataset); return err })
	return list, err
}

// FindTag returns a tag of a dataset.
func (h *History) FindTag(ctx context.Context, dataset, name string) (t catalog.Tag, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeFor(ctx, tx, dataset)
		if err != nil {
			return err
		}
		if t, err = tx.Tag(dataset, name); errors.Is(err, catalog.ErrNotFound) {
			return noTag(d, name)
		}
		return err
	})
	return t, err
}

// NewTag is what a tag is made with.
type NewTag struct {
	Name        string
	Ref         string // empty: head
	Description string
}

// CreateTag names the state at a ref. A name that is taken is refused: MoveTag moves it.
func (s *Store) CreateTag(ctx context.Context, dataset string, n NewTag, r Request) (t catalog.Tag, err error) {
	if err := CheckTagName(n.Name); err != nil {
		return t, err
	}
	change := func(tx catalog.Tx, d catalog.Dataset, old *catalog.Tag) (catalog.Tag, error) {
		if old != nil {
			return t, fault.Errorf(fault.Exists, "tag_exists", "Dataset '%s' has a tag %s already, of commit %d. "+
				"Move it, or choose another name.", d.Name, n.Name, old.CommitID)
		}
		commit, err := resolve(tx, d, n.Ref, s.now)
		now := s.now()
		return catalog.Tag{
			DatasetID: dataset, Name: n.Name, CommitID: commit, Description: n.Description, User: r.User,
			CreatedAt: now, UpdatedAt: now,
		}, err
	}
	return s.changeTag(ctx, dataset, n.Name, r, change)
}

// TagEdit is a change of a tag. Nil fields stay as they are.
type TagEdit struct {
	Ref         *string
	Description *string
}

// MoveTag points a tag at another state, or describes it.
func (s *Store) MoveTag(ctx context.Context, dataset, name string, e TagEdit, r Request) (catalog.Tag, error) {
	change := func(tx catalog.Tx, d catalog.Dataset, old *catalog.Tag) (t catalog.Tag, err error) {
		if old == nil {
			return t, noTag(d, name)
		}
		t = *old
		if e.Ref != nil && *e.Ref == "" {
			return t, fault.Errorf(fault.Invalid, "empty_ref",
				"ref is empty. Say what the tag names from now on, such as head, or leave it out.").With("field", "ref")
		}
		if e.Ref != nil {
			if t.CommitID, err = resolve(tx, d, *e.Ref, s.now); err != nil {
				return t, err
			}
		}
		if e.Description != nil {
			t.Description = *e.Description
		}
		t.User, t.UpdatedAt = r.User, s.now()
		return t, nil
	}
	return s.changeTag(ctx, dataset, name, r, change)
}

// noTag is the refusal of a tag that is not there.
func noTag(d catalog.Dataset, name string) error {
	return fault.Errorf(fault.NotFound, "tag_not_found", "Tag %s not found for dataset '%s'", fault.Clip(name), d.Name)
}

// changeTag writes what becomes of a tag; old is nil where there is none. The dataset's head stays while it does. The
// label is written whether the tag is new, moved or removed: it has the receipts of all of these requests.
func (s *Store) changeTag(
	ctx context.Context, dataset, name string, r Request,
	become func(tx catalog.Tx, d catalog.Dataset, old *catalog.Tag) (catalog.Tag, error),
) (t catalog.Tag, err error) {
	unlock, err := s.catalog.Lock(ctx, dataset)
	if err != nil {
		return t, err
	}
	defer unlock()
	return t, s.label(ctx, r, func(tx catalog.Tx, l *labels) error {
		d, old, err := tagOf(tx, dataset, name)
		if err != nil {
			return err
		}
		if err := r.expects(d); err != nil {
			return err
		}
		if t, err = become(tx, d, old); err != nil {
			return err
		}
		if err := tx.PutTag(t); err != nil {
			return err
		}
		a, err := answer(s.Requests, tx, r, t)
		if err != nil {
			return err
		}
		return l.putTag(tx, tagLabel{Tag: t, answers: a})
	})
}

// tagOf returns a dataset and one of its tags; nil where there is none.
func tagOf(tx catalog.Tx, dataset, name string) (catalog.Dataset, *catalog.Tag, error) {
	d, err := activeDataset(tx, dataset)
	if err != nil {
		return d, nil, err
	}
	t, err := tx.Tag(dataset, name)
	if errors.Is(err, catalog.ErrNotFound) {
		return d, nil, nil
	}
	return d, &t, err
}

// putTag records the answers to a request and writes the label, with the answers that it had before.
func (l *labels) putTag(tx catalog.Tx, label tagLabel) error {
	if err := label.answers.record(tx); err != nil {
		return err
	}
	name := tagLabelName(label.Name)
	kept, err := l.kept(label.DatasetID, name)
	if err != nil {
		return err
	}
	label.Receipts = append(kept.Receipts, label.Receipts...)
	return l.put(label.DatasetID, name, label)
}

// RemoveTag removes a tag. What it named stays.
func (s *Store) RemoveTag(ctx context.Context, dataset, name string, r Request) error {
	unlock, err := s.catalog.Lock(ctx, dataset)
	if err != nil {
		return err
	}
	defer unlock()
	return s.label(ctx, r, func(tx catalog.Tx, l *labels) error {
		d, old, err := tagOf(tx, dataset, name)
		if err == nil {
			err = r.expects(d)
		}
		if err != nil {
			return err
		}
		if old == nil {
			return noTag(d, name)
		}
		if err := tx.RemoveTag(dataset, name); err != nil {
			return err
		}
		return l.putTag(tx, tagLabel{Tag: *old, RemovedAt: s.now()})
	})
}

// recordTag records a tag as its label has it.
func (f *forward) recordTag(tx catalog.Tx, dataset, key string) error {
	var l tagLabel
	if err := f.read(key, &l); err != nil {
		return err
	}
	known, err := tx.Tag(dataset, l.Name)
	isKnown := err == nil
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	switch {
	case !l.RemovedAt.IsZero() && isKnown:
		f.step("the removal of tag %s of dataset %s", l.Name, dataset)
		return errors.Join(tx.RemoveTag(dataset, l.Name), l.record(tx))
	case !l.RemovedAt.IsZero() || isKnown && known.UpdatedAt.Equal(l.UpdatedAt) && known.CommitID == l.CommitID:
		return l.record(tx)
	}
	if err := fits(tx, dataset, l.DatasetID, l.CommitID); err != nil {
		return err
	}
	f.step("tag %s of dataset %s", l.Name, dataset)
	return errors.Join(tx.PutTag(l.Tag), l.record(tx))
}
