package storage

import (
	"cmp"
	"errors"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/digest"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// stateSum is the digest of one state while it is computed: the digest of an earlier state with the same schema, and
// the files that became live since or ceased to be; without an earlier one, all live files.
type stateSum struct {
	dataset catalog.Dataset
	commit  int64
	state   snapshot.State
	known   string // the digest; "" if it must be computed
	workers int    // on how many cores; 0: all
	era     familyEra

	base           digest.Sum
	opened, closed []*catalog.File
	snap           *snapshot.Snapshot // with these files, and those that they displace rows of
	views          map[int64]string   // how the state sees them, by id
}

// plan finds the files that the sum is made of. from is the state that it begins with; 0: none.
func (s *stateSum) plan(tx catalog.Tx, h *History, from int64, base digest.Sum) (err error) {
	s.base = base
	if from == 0 {
		live := snapshot.New(s.state, h.stored.pathOf)
		err = h.adopt(tx, live)
		s.opened = live.Files()
	} else {
		var errClosed error
		s.opened, err = tx.Opened(s.dataset.ID, from+1, s.commit)
		s.closed, errClosed = tx.Closed(s.dataset.ID, from+1, s.commit)
		err = errors.Join(err, errClosed)
	}
	if err != nil {
		return err
	}
	files, err := h.withTargets(tx, s.files())
	if err != nil {
		return err
	}
	s.snap = snapshot.New(s.state, h.stored.pathOf)
	if err := s.snap.Adopt(tx, files); err != nil {
		return err
	}
	s.views = s.snap.DigestViews(s.files())
	return nil
}

// files returns the files that the sum is made of.
func (s *stateSum) files() []*catalog.File { return slices.Concat(s.opened, s.closed) }

// key identifies the digest of a file in the sum.
func (s *stateSum) key(f *catalog.File) catalog.DigestKey {
	return catalog.DigestKey{File: f.ID, View: s.views[f.ID]}
}

// total returns the sum, of digests that are all known. The rows of a rollback file are taken away.
func (s *stateSum) total(known digestMemory) digest.Sum {
	sum := s.base
	add := func(files []*catalog.File, kind schema.Kind) {
		for _, f := range files {
			if f.Kind == kind {
				sum = sum.Plus(known[s.key(f)])
			} else {
				sum = sum.Minus(known[s.key(f)])
			}
		}
	}
	add(s.opened, schema.Data)
	add(s.closed, schema.Rollback)
	return sum
}

// withTargets returns files and those that they displace rows of, in the order of their ids.
func (h *History) withTargets(tx catalog.Tx, files []*catalog.File) ([]*catalog.File, error) {
	has := map[int64]bool{}
	for _, f := range files {
		has[f.ID] = true
	}
	var targets []int64
	for _, f := range files {
		for id := range f.Targets {
			if !has[id] {
				has[id], targets = true, append(targets, id)
			}
		}
	}
	found, ok := h.seen.all(targets)
	if !ok {
		for _, id := range targets {
			f, err := tx.File(id)
			if err != nil {
				return nil, err
			}
			found = append(found, f)
		}
	}
	out := append(slices.Clone(files), found...)
	slices.SortFunc(out, func(f, g *catalog.File) int { return cmp.Compare(f.ID, g.ID) })
	return out, nil
}
