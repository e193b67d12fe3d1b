package catalog

import (
	"slices"
	"sync"
)

// Where a commit stands in its dataset's list is counted from marks: every 256th commit of the list, oldest first. The
// list only grows, so a mark that was found stays where it is, and finding the n-th commit before another reads the
// ids between marks, however long the list is.
const markEvery = 256

// ranks keeps the marks of the datasets that were asked for.
type ranks struct {
	mu    sync.Mutex
	marks map[string][]int64 // by dataset: the listed commits before which there are 0, 256, 512, … others
}

func newRanks() *ranks { return &ranks{marks: map[string][]int64{}} }

// of returns the marks of a dataset, in a transaction that sees its commits: up to one commit, and perhaps more.
func (r *ranks) of(tx Tx, dataset string, upTo int64) ([]int64, error) {
	r.mu.Lock()
	marks := r.marks[dataset]
	r.mu.Unlock()
	if n := len(marks); n > 0 && marks[n-1] > upTo {
		return marks, nil
	}
	after := int64(0)
	if n := len(marks); n > 0 {
		after = marks[n-1] - 1 // the list begins with the last mark
	}
	ids, err := tx.listedAfter(dataset, after, Forever)
	if err != nil || len(ids) <= markEvery && len(marks) > 0 {
		return marks, err
	}
	marks = slices.Clip(marks[:max(len(marks)-1, 0)])
	for i := 0; i < len(ids); i += markEvery {
		marks = append(marks, ids[i])
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(marks) > len(r.marks[dataset]) {
		r.marks[dataset] = marks
	}
	return marks, nil
}

// listedAfter returns the ids of up to limit commits that Commits lists, oldest first, with ids above after.
func (tx Tx) listedAfter(dataset string, after, limit int64) ([]int64, error) {
	return list(tx, scanInt, `SELECT c.id`+commitsAbove+`AND `+isListed+oldestFirst+` LIMIT $3`, dataset, after, limit)
}

// EarlierCommit returns the n-th commit before one, of those that Commits lists.
func (tx Tx) EarlierCommit(dataset string, commit, n int64) (int64, error) {
	if n <= markEvery {
		return get(tx, scanInt, `SELECT c.id`+commitsBelow+`AND `+isListed+newestFirst+` LIMIT 1 OFFSET $3`,
			dataset, commit, n-1)
	}
	before, err := tx.CountEarlier(dataset, commit)
	if err != nil || n > before {
		return 0, orMissing(err)
	}
	marks, err := tx.ranks.of(tx, dataset, commit)
	if err != nil {
		return 0, err
	}
	ids, err := tx.listedAfter(dataset, marks[(before-n)/markEvery]-1, markEvery)
	if err != nil {
		return 0, err
	}
	return ids[(before-n)%markEvery], nil
}

// CountEarlier returns how many commits there are before one, of those that Commits lists.
func (tx Tx) CountEarlier(dataset string, commit int64) (int64, error) {
	marks, err := tx.ranks.of(tx, dataset, commit)
	if err != nil {
		return 0, err
	}
	// The last mark that is not after the commit.
	i, found := slices.BinarySearch(marks, commit)
	if !found {
		i--
	}
	if i < 0 {
		return 0, nil
	}
	ids, err := tx.listedAfter(dataset, marks[i]-1, markEvery)
	behind, _ := slices.BinarySearch(ids, commit)
	return int64(i*markEvery + behind), err
}

// orMissing returns err, or ErrNotFound if that is nil.
func orMissing(err error) error {
	if err == nil {
		return ErrNotFound
	}
	return err
}
