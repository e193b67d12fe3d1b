package storage

import "github.com/rowback/rowback/storage/snapshot"

// History reads what datasets are and were, what commits did, and what names them. It changes nothing. Its methods take
// a dataset's id and are declared in the file of their subject: what names states (refs.go), lists (action.go,
// version.go, savepoint.go, tag.go), what commits did (sets.go, blockers.go), single records (record_history.go), and
// the check.
type History struct {
	*journal
	stored *Files
	heads  *headCache
	seen   *fileCache
	past   *fileHistories
	blocks *snapshot.Blocks
	keys   *keyFinder

	eras   eras
	behind func(removal int64) // called when another server's removals after one are seen first
}

// newHistory keeps files in about so many bytes of memory; 0: as many as may be.
func newHistory(j *journal, f *Files, memory int64) *History {
	return &History{
		journal: j, stored: f, heads: newHeadCache(), seen: newFileCache(memory), past: newFileHistories(),
		blocks: snapshot.NewBlocks(),
	}
}
