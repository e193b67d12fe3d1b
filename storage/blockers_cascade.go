package storage

import (
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// isCascade reports whether a commit undid several others here. One that a merge played, whose rows have another tag
// (RowTag), undid them in the source.
func isCascade(c catalog.Commit) bool { return len(undoes(c)) > 1 && c.RowTag == c.ID }

// readUndone reads what the commits did that a cascade undid.
func (u *undoing) readUndone(tx catalog.Tx, h *History, cascade catalog.Commit) error {
	if !isCascade(cascade) {
		return nil
	}
	for _, id := range undoes(cascade) {
		if _, done := u.did[id]; done {
			continue
		}
		c, err := tx.Commit(cascade.DatasetID, id)
		if err != nil {
			return err
		}
		if u.did[id], err = h.setsOf(tx, c); err != nil {
			return err
		}
	}
	return nil
}

// since returns what a later commit means to an earlier one. Of a cascade that is the inverse of those commits that it
// undid which came before the earlier one: those that came after it cancel with their undoing.
func (u *undoing) since(later sets, earlier int64) []sets {
	newer := func(id int64) bool { return id > earlier }
	if !isCascade(later.commit) || !slices.ContainsFunc(undoes(later.commit), newer) {
		return []sets{later}
	}
	var out []sets
	for _, id := range undoes(later.commit) {
		if !newer(id) {
			out = append(out, u.did[id].inverse(later.commit))
		}
	}
	return out
}

// inverse is what undoing the commit does, as a part of a cascade. Nothing is read: the sets change places.
func (c sets) inverse(by catalog.Commit) sets {
	c.part, c.commit, c.replaces = c.commit.ID, by, false
	c.opened, c.closed = c.closed, c.opened
	if c.between != nil {
		c.between = snapshot.Diff(c.between.B, c.between.A)
	}
	return c
}

// followers are commits, or parts of cascades, that follow others. A number stands for a commit or a part of a cascade
// in SQL, since a commit's id may stand for several parts.
type followers struct {
	numbers map[[2]int64]int64       // by commit and part
	parts   map[int64]sets           // by number
	earlier map[int64]map[int64]bool // the commits that each follows, by number
}

// newFollowers returns an empty list.
func newFollowers() followers {
	return followers{map[[2]int64]int64{}, map[int64]sets{}, map[int64]map[int64]bool{}}
}

// add notes that a commit, or a part of one, follows another.
func (f followers) add(part sets, earlier int64) {
	name := [2]int64{part.commit.ID, part.part}
	n, known := f.numbers[name]
	if !known {
		n = int64(len(f.parts))
		f.numbers[name], f.parts[n], f.earlier[n] = n, part, map[int64]bool{}
	}
	f.earlier[n][earlier] = true
}
