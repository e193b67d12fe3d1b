package storage

import (
	"context"
	"encoding/json"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// work is a commit while it is made: what it is, and what is held for it. Whoever begins one ends it, whatever happens
// in between: end is deferred right after begin.
type work struct {
	publication
	*held
	writer *recordWriter // of its files
}

// newWork is a commit of which nothing is known yet but what is held for it.
func newWork(h *held) *work {
	w := &work{held: h}
	w.writer = &recordWriter{fileWriter: fileWriter{draft: &w.draft, workspace: h.workspace}}
	return w
}

// held is what is held while a commit is made. The commits that a merge plays share it. end gives all of it back.
type held struct {
	*workspace
	idSource
	store   *Store
	request Request
	unlock  func() // nil: no lock is held

	leaveQuota func()                 // nil: nothing is counted for it
	fits       func(catalog.Tx) error // reports, once it is recorded, whether its project's quota has room for it; nil: it has
}

// hold is what a request's commit holds at first: nothing that has to be given back.
func (s *Store) hold(r Request) *held {
	return &held{workspace: &workspace{files: s.Files, staging: s.Staging, dry: r.Preview != nil}, store: s, request: r}
}

// begin takes the dataset's lock, reads its head, and gives the commit its id.
func (s *Store) begin(ctx context.Context, dataset string, r Request, mode catalog.Mode) (*work, error) {
	w, err := s.lockHead(ctx, dataset, r)
	if err != nil {
		return nil, err
	}
	if err := w.giveID(ctx, mode); err != nil {
		w.end()
		return nil, err
	}
	return w, nil
}

// lockHead takes the dataset's lock and reads its head.
func (s *Store) lockHead(ctx context.Context, dataset string, r Request) (*work, error) {
	// One commit of a dataset at a time: what is read of its head stays true until the commit stands, so that nothing
	// has to be checked or done again at the end. Readers take no lock.
	unlock, err := s.lock(ctx, dataset, r)
	if err != nil {
		return nil, err
	}
	w := newWork(s.hold(r))
	w.unlock = unlock
	if err := s.halted(); err != nil {
		w.end()
		return nil, err
	}
	if !w.takeHead(r.group) {
		err = s.catalog.Read(ctx, func(tx catalog.Tx) error { return w.readHead(tx, dataset) })
	}
	if err == nil {
		err = r.expects(w.head.Dataset)
	}
	if err != nil {
		w.end()
		return nil, err
	}
	return w, nil
}

// beginNew begins the first commit of a dataset that is made with it: either both stand or neither. No lock is held: no
// one else knows of the dataset yet.
func (s *Store) beginNew(ctx context.Context, b *birth, r Request, mode catalog.Mode) (*work, error) {
	if err := s.halted(); err != nil {
		return nil, err
	}
	w := newWork(s.hold(r))
	w.family = newFamily(0, int64(len(b.Schema.Columns)))
	w.creates, w.head = b, snapshot.New(b.state(), s.pathOf)
	if err := w.giveID(ctx, mode); err != nil {
		w.end()
		return nil, err
	}
	return w, nil
}

// giveID starts the commit: it gets its id, and a directory for its files.
func (w *work) giveID(ctx context.Context, mode catalog.Mode) error {
	s, r, d := w.store, w.request, w.head.Dataset
	w.draft = draftOn(w.head)
	drawn := int64(1)
	if r.Preview != nil {
		drawn = 0 // the id that it would have remains the next one
	}
	// Drawn under the lock on the head: within a dataset the order of ids is the order of commits.
	commit, err := s.catalog.Draw(ctx, d.ID, catalog.CommitIDs, drawn)
	if err != nil {
		return err
	}
	w.commit = catalog.Commit{
		DatasetID: d.ID, ID: commit, RowTag: commit, Previous: w.head.Commit.ID, Mode: mode, Message: r.Message, User: r.User,
		Hash: s.newID(), Metadata: orEmpty(r.Metadata), Params: json.RawMessage("{}"),
	}
	key := w.key()
	if r.Preview != nil { // the commit that gets this id has other files under that key
		key = d.ID + "/preview-" + w.commit.Hash
	}
	w.batch, err = s.blobs.Batch(key)
	return err
}

// readHead reads what the commit is made on.
func (w *work) readHead(tx catalog.Tx, dataset string) error {
	d, err := activeDataset(tx, dataset)
	if err != nil {
		return err
	}
	if w.head, err = w.store.snapshot(tx, d, d.Head); err != nil {
		return err
	}
	return w.join(tx, d.FamilyID)
}

// join makes a family the source of the work's ids; a preview draws them from a copy.
func (w *work) join(tx catalog.Tx, family string) (err error) {
	w.family, err = w.store.families.of(tx, family)
	if err == nil && w.request.Preview != nil {
		w.family = newFamily(w.family.lastRowID.Load(), w.family.lastFieldID.Load())
	}
	return err
}

// end gives back what the commit holds, but for what its group has taken over.
func (w *work) end() {
	w.workspace.close()
	w.releaseRowIDs(false)
	if w.leaveQuota != nil {
		w.leaveQuota()
	}
	// Last: who takes the lock next reads a head that is final.
	if w.unlock != nil {
		w.unlock()
	}
}
