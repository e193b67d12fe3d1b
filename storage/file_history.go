package storage

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// fileHistories keeps when files were live in the datasets whose past was asked for, so that a state far back is found
// without reading the ids of its files from the catalog. The past of a fork before it was made is that of its upstream.
type fileHistories struct {
	mu    sync.Mutex
	era   int64 // the newest removal (forget_caches.go)
	byID  map[string]*fileHistory
	lives int // of all
	limit int
}

// newFileHistories keeps up to a million times at which a file was live, of all datasets together.
func newFileHistories() *fileHistories {
	return &fileHistories{byID: map[string]*fileHistory{}, limit: 1_000_000}
}

// fileHistory is when each file of a dataset was live, up to a commit. It grows, and what is in it stays true until
// rows are removed for ever.
type fileHistory struct {
	mu    sync.Mutex
	upTo  int64
	lives []life // by file, then by begin

	schemas map[string]schema.Schema // of the files that were read; replaced, not changed
}

// life says that a file is live from commit begin until just before commit end.
type life struct {
	file       *catalog.File // nil: not read yet
	isRollback bool
	id         int64
	begin, end int64
}

// of returns the file history of a dataset, as transactions of an era see it. That of another era is not kept.
func (t *fileHistories) of(dataset string, era int64) *fileHistory {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := t.byID[dataset]
	if line == nil || era != t.era {
		line = &fileHistory{schemas: map[string]schema.Schema{}}
	}
	if era == t.era {
		t.byID[dataset] = line
	}
	return line
}

func (t *fileHistories) begin(era int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.era, t.lives = era, 0
	clear(t.byID)
}

// grew counts what a file history has more than before. Where they become too many, all others are dropped.
func (t *fileHistories) grew(dataset string, line *fileHistory, by int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID[dataset] != line {
		return
	}
	if t.lives += by; t.lives > t.limit {
		clear(t.byID)
		t.byID[dataset], t.lives = line, len(line.lives)
	}
}

// pastFiles sets the files of a snapshot before the head: those that were live then.
func (h *History) pastFiles(tx catalog.Tx, snap *snapshot.Snapshot) error {
	commit := snap.Commit.ID
	if commit == 0 {
		return nil // before the first
	}
	era, errEra := eraOf(tx)
	owner, err := tx.Maker(snap.Dataset.ID, commit)
	if err := errors.Join(errEra, err); err != nil {
		return err
	}
	line := h.past.of(owner, era)
	line.mu.Lock()
	defer line.mu.Unlock()
	if by, err := line.extend(tx, owner, commit); err != nil {
		return err
	} else if by > 0 {
		h.past.grew(owner, line, by)
	}
	if line.adopt(snap) {
		return nil
	}
	files, err := h.readFiles(tx, owner, commit)
	if err != nil {
		return err
	}
	if err := snap.Adopt(tx, files); err != nil {
		return err
	}
	line.name(files, snap.Schemas)
	return nil
}

// extend adds what became live and ceased to be live up to a commit, and returns how many lives it added.
func (l *fileHistory) extend(tx catalog.Tx, dataset string, commit int64) (int, error) {
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

// adopt sets the files of a snapshot, by id, unless one of them was not read yet. All of them are looked through, which
// takes no more time than a copy of so many: they are not followed to where they are in memory.
func (l *fileHistory) adopt(snap *snapshot.Snapshot) bool {
	var data, rollbacks []*catalog.File
	for i := range l.lives {
		switch one := &l.lives[i]; {
		case one.begin > snap.Commit.ID || snap.Commit.ID >= one.end:
		case one.file == nil:
			return false
		case one.isRollback:
			rollbacks = append(rollbacks, one.file)
		default:
			data = append(data, one.file)
		}
	}
	snap.Data, snap.Rollbacks, snap.Schemas = data, rollbacks, l.schemas
	return true
}

// name keeps files, which are in the order of their ids, with their lives, and the schemas that they have.
func (l *fileHistory) name(files []*catalog.File, schemas map[string]schema.Schema) {
	i := 0
	for j := range l.lives {
		one := &l.lives[j]
		for i < len(files) && files[i].ID < one.id {
			i++
		}
		if i < len(files) && files[i].ID == one.id {
			one.file, one.isRollback = files[i], files[i].Kind == schema.Rollback
		}
	}
	all := maps.Clone(schemas)
	maps.Copy(all, l.schemas)
	l.schemas = all
}
