package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datafile"
)

// choose decides which of the fresh commits follow on the heads. The others can't be placed.
func (f *forward) choose() error {
	needed := map[int64]bool{} // commits that forks were made at
	for _, s := range f.shelves {
		if s.born != nil && s.born.Dataset.IsFork() {
			needed[s.born.Dataset.ForkCommit] = true
		}
	}
	for _, s := range f.shelves {
		if err := f.follow(s, needed); err != nil {
			return err
		}
	}
	return nil
}

// follow finds the path of commits that begins at a dataset's head. The last of a path is left out where it is not
// complete: it was never acknowledged, or is damaged; then another path may be the one. A commit that others were made
// on was there once, and stays: what is damaged of it is refused when it is read. A crash leaves at most one such
// commit: its request was never answered.
func (f *forward) follow(s *shelf, needed map[int64]bool) error {
	if len(s.fresh) == 0 {
		return nil
	}
	if !s.known && s.born == nil {
		for _, c := range s.fresh {
			f.setAside(s.id, c.id, commitKey(s.id, c.id), unplaced, "how its dataset was made is not known")
		}
		return nil
	}
	head := s.dataset.Head
	if !s.known {
		head = s.born.Dataset.Head
	}
	// Each round leaves out a last commit that is not whole; then another path may be the one to follow.
	left := slices.Clone(s.fresh)
	for {
		s.path = pathFrom(head, left)
		if len(s.path) == 0 {
			break
		}
		last := s.path[len(s.path)-1]
		// Only the last one is read whole: those before it stood when it was made.
		fault, err := f.fault(last.manifest)
		if err != nil {
			return err
		}
		if fault == "" || needed[last.id] {
			break
		}
		f.setAside(s.id, last.id, commitKey(s.id, last.id), incomplete, "%s", fault)
		left = slices.DeleteFunc(left, func(c *fresh) bool { return c == last })
	}
	for _, c := range left {
		switch {
		case slices.Contains(s.path, c):
		case f.several && s.known && c.id < head:
			// Its server ended before it was recorded, so no one was told that it stands, and others went on. It can't stand
			// any more: the head that it was made on is not the head.
			f.given = append(f.given, c.id)
		default:
			f.setAside(s.id, c.id, commitKey(s.id, c.id), unplaced,
				"it was made on commit %d, and does not follow on commit %d, the head", c.madeOn(), head)
		}
	}
	return nil
}

// pathFrom is the path of commits, which come by id, that begins at a head. Where two were made on one, it takes the
// one that the newest commit goes back to: the other was given up when the server went on.
func pathFrom(head int64, commits []*fresh) (path []*fresh) {
	next := map[int64]*fresh{} // by the commit that it was made on
	newest := map[int64]int64{}
	for _, c := range slices.Backward(commits) {
		newest[c.id] = max(c.id, newest[c.id])
		on := c.madeOn()
		if on >= c.id {
			continue // damaged: ids only grow
		}
		// Backward, so that the newest that goes back to each is known by now.
		if next[on] == nil || newest[c.id] > newest[next[on].id] {
			next[on] = c
		}
		newest[on] = max(newest[on], newest[c.id])
	}
	for c := next[head]; c != nil; c = next[c.id] {
		path = append(path, c)
	}
	return path
}

// fault says which of a commit's own files is missing or not what was written; empty: none.
func (f *forward) fault(m manifest) (string, error) {
	for _, p := range append(m.Played, m) {
		for _, file := range p.Opened {
			if fault, err := f.faultOf(file); fault != "" || err != nil {
				return fault, err
			}
		}
	}
	return "", nil
}

// faultOf reads a file of a commit that the catalog does not have: nothing else vouches for it. It returns why it can't
// be relied on, or nothing.
func (f *forward) faultOf(file *catalog.File) (string, error) {
	in, err := f.blobs.Open(file.Key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("file %d (%s) is missing", file.ID, file.Key), nil
	case isRefusal(err):
		return "", err
	case err != nil:
		return fmt.Sprintf("file %d (%s) can't be read: %v", file.ID, file.Key, err), nil
	}
	defer in.Close()
	sum, size, err := datafile.Checksum(in)
	if err != nil || sum != file.Checksum || size != file.Bytes {
		return fmt.Sprintf("file %d (%s) is not what was written", file.ID, file.Key), nil
	}
	return "", nil
}
