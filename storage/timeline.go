package storage

import (
	"cmp"
	"errors"
	"slices"
	"sync"

	"rowback/storage/catalog"
)

// timelines keeps when files were live in the datasets whose past was asked for, so that a state far back is found
// without reading the ids of its files from the catalog. The past of a fork before it was made is that of its upstream.
type timelines struct {
	mu    sync.Mutex
	byID  map[string]*timeline
	lives int // of all
	limit int
}

// newTimelines keeps up to a million times at which a file was live, of all datasets together.
func newTimelines() *timelines { return &timelines{byID: map[string]*timeline{}, limit: 1_000_000} }

// timeline is when each file of a dataset was live, up to a commit. It grows, and what is in it stays true.
type timeline struct {
	mu    sync.Mutex
	upTo  int64
	lives []life // by file, then by begin
}

// life says that a file is live from commit begin until just before commit end.
type life struct {
	file       *catalog.File // nil: not read yet
	id         int64
	begin, end int64
}

func (l *life) has(commit int64) bool { return l.begin <= commit && commit < l.end }

// of returns the timeline of a dataset.
func (t *timelines) of(dataset string) *timeline {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID[dataset] == nil {
		t.byID[dataset] = &timeline{}
	}
	return t.byID[dataset]
}

// grew counts what a timeline has more than before. Where they become too many, all others are dropped.
func (t *timelines) grew(dataset string, line *timeline, by int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lives += by; t.lives > t.limit {
		clear(t.byID)
		t.byID[dataset], t.lives = line, len(line.lives)
	}
}

// pastFiles returns the files that were live in a dataset at a commit before its head; 0 is before the first.
func (h *History) pastFiles(tx catalog.Tx, dataset string, commit int64) ([]*catalog.File, error) {
	if commit == 0 {
		return nil, nil
	}
	owner, err := tx.Maker(dataset, commit)
	if err != nil {
		return nil, err
	}
	line := h.past.of(owner)
	line.mu.Lock()
	defer line.mu.Unlock()
	if by, err := line.extend(tx, owner, commit); err != nil {
		return nil, err
	} else if by > 0 {
		h.past.grew(owner, line, by)
	}
	if files, ok := line.at(commit); ok {
		return files, nil
	}
	files, err := h.readFiles(tx, owner, commit)
	if err != nil {
		return nil, err
	}
	line.name(files)
	return files, nil
}

// extend adds what became live and ceased to be live up to a commit, and returns how many lives it added.
func (l *timeline) extend(tx catalog.Tx, dataset string, commit int64) (int, error) {
	if l.upTo >= commit {
		return 0, nil
	}
	begun, err := tx.Begun(dataset, l.upTo+1, commit)
	ended, errEnded := tx.Ended(dataset, l.upTo+1, commit)
	if err := errors.Join(err, errEnded); err != nil {
		return 0, err
	}
	for _, e := range begun {
		l.lives = append(l.lives, life{id: e.File, begin: e.Begin, end: e.End})
	}
	if !slices.IsSortedFunc(l.lives, byFile) {
		slices.SortFunc(l.lives, byFile)
	}
	for _, e := range ended {
		if i, ok := slices.BinarySearchFunc(l.lives, life{id: e.File, begin: e.Begin}, byFile); ok {
			l.lives[i].end = e.End
		}
	}
	l.upTo = commit
	return len(begun), nil
}

func byFile(a, b life) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.begin, b.begin)) }

// at returns the files that are live at a commit, by id; ok is false if one of them was not read yet.
func (l *timeline) at(commit int64) (files []*catalog.File, ok bool) {
	n := 0
	for i := range l.lives {
		if l.lives[i].has(commit) {
			n++
		}
	}
	files = make([]*catalog.File, 0, n)
	for i := range l.lives {
		if one := &l.lives[i]; one.has(commit) {
			if one.file == nil {
				return nil, false
			}
			files = append(files, one.file)
		}
	}
	return files, true
}

// name keeps files, which are in the order of their ids, with their lives.
func (l *timeline) name(files []*catalog.File) {
	i := 0
	for j := range l.lives {
		one := &l.lives[j]
		for i < len(files) && files[i].ID < one.id {
			i++
		}
		if i < len(files) && files[i].ID == one.id {
			one.file = files[i]
		}
	}
}
