package storage

import (
	"context"
	"encoding/json"
	"reflect"
	"time"

	"rowback/storage/blob"
	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/fault"
	"rowback/storage/intake"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// Request is what every write says of itself.
type Request struct {
	User         string
	Message      string
	Metadata     json.RawMessage                   // nil: {}
	ExpectedHead *int64                            // refuse where the head is another
	Receipt      *Receipt                          // nil: the request bore no Idempotency-Key
	Report       func(percent int, message string) // nil: no one watches; told of long work, as it gets on
}

// Change is records in a mode (design, section 3).
type Change struct {
	Request
	Mode   catalog.Mode // append, overwrite, upsert or delete
	Upload intake.Upload
	Where  string // delete: a SQL condition, instead of an upload
}

// Commit applies a change: the protocol of section 7 of the design, a step a call. Nothing is visible until all of it
// is; a refused commit leaves no trace.
func (s *Store) Commit(ctx context.Context, dataset string, c Change) (catalog.Commit, error) {
	w, err := s.begin(ctx, dataset, c.Request, c.Mode)
	if err != nil {
		return catalog.Commit{}, err
	}
	defer w.end()
	if err := w.connect(ctx); err != nil {
		return catalog.Commit{}, err
	}
	switch c.Mode {
	case catalog.Append:
		err = w.append(ctx, c.Upload)
	case catalog.Overwrite, catalog.Upsert:
		err = w.replace(ctx, c.Upload)
	case catalog.Delete:
		err = w.delete(ctx, c)
	default:
		err = fault.Errorf(fault.Invalid, "unknown_mode", "There is no mode %q. A mode is append, overwrite, upsert or delete.", fault.Clip(string(c.Mode)))
	}
	if err != nil {
		return catalog.Commit{}, err
	}
	if err := w.bookmarkImport(ctx); err != nil {
		return catalog.Commit{}, err
	}
	return w.publish(ctx)
}

// bookmarkImport has the dataset's first records bookmarked with a savepoint, unless it has savepoints already.
func (w *work) bookmarkImport(ctx context.Context) error {
	if w.commit.Added == 0 || len(w.head.Data) > 0 {
		return nil
	}
	return w.store.catalog.Read(ctx, func(tx catalog.Tx) error {
		all, err := tx.Savepoints(w.commit.DatasetID)
		if err == nil && len(all) == 0 {
			w.bookmark(0, w.commit.ID, "initial import")
		}
		return err
	})
}

// bookmark makes a savepoint a part of the commit.
func (w *work) bookmark(number, commit int64, description string) {
	w.savepoints = append(w.savepoints, catalog.Savepoint{
		ID: w.store.options.NewID(), DatasetID: w.commit.DatasetID, CommitID: commit, Number: number, Description: description, User: w.commit.User,
	})
}

// work is one commit while it is made. What it opens, reopens and closes is what it is.
type work struct {
	store      *Store
	head       *snapshot.Snapshot
	commit     catalog.Commit
	schema     schema.Schema
	properties catalog.Properties
	bound      schema.Schema            // that the types of derived columns were found for
	opened     []*catalog.File          // written by this commit
	reopened   []*catalog.File          // live again
	back       map[string]schema.Schema // the schemas of those, by document id
	closed     []*catalog.File          // live no more
	marks      map[int64]int64          // commits whose rollback_commit_id changes; 0: none any more
	savepoints []catalog.Savepoint      // made with it
	activates  int64                    // id of the version that becomes active, and later ones not; 0: none
	answers    answers
	creation   *creation             // the dataset, where the commit makes it too
	played     []*work               // of a merge: the commits that come before it, in its folder and its transaction
	part       int                   // among those: numbers the files
	fileIDs    map[schema.Kind]int64 // that its files have, once they were given
	merged     *Merged               // of a merge: what it is told by

	family  *family
	holdsID bool // the family is locked: row numbers are being assigned
	batch   *blob.Batch
	conn    *duck.Conn
	request Request
	unlock  func()
}

// begin takes the dataset's lock, reads its head, and gives the commit its id.
func (s *Store) begin(ctx context.Context, dataset string, r Request, mode catalog.Mode) (*work, error) {
	w, err := s.lockHead(ctx, dataset, r)
	if err != nil {
		return nil, err
	}
	if err := w.number(mode); err != nil {
		w.end()
		return nil, err
	}
	return w, nil
}

// lockHead takes the dataset's lock and reads its head.
func (s *Store) lockHead(ctx context.Context, dataset string, r Request) (*work, error) {
	unlock, err := s.locks.lock(ctx, dataset)
	if err != nil {
		return nil, err
	}
	w := &work{store: s, request: r, unlock: unlock, marks: map[int64]int64{}}
	if err := s.halted(); err != nil {
		w.end()
		return nil, err
	}
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error { return w.readHead(tx, dataset) })
	if err == nil {
		err = r.expects(w.head.Dataset)
	}
	if err != nil {
		w.end()
		return nil, err
	}
	return w, nil
}

// beginNew begins the first commit of a dataset that is made with it: either both stand or neither.
func (s *Store) beginNew(d *creation, r Request, mode catalog.Mode) (*work, error) {
	if err := s.halted(); err != nil {
		return nil, err
	}
	w := &work{
		store: s, request: r, unlock: func() {}, marks: map[int64]int64{}, creation: d,
		head: snapshot.New(d.State, s.pathOf), family: newFamily(0, int64(len(d.Schema.Columns))),
	}
	return w, w.number(mode)
}

// number starts the commit: it gets its id, and a folder for its files.
func (w *work) number(mode catalog.Mode) (err error) {
	s, r, d := w.store, w.request, w.head.Dataset
	w.schema, w.properties, w.bound = w.head.Schema, w.head.Properties, w.head.Schema
	commit := s.commits.Add(1)
	w.commit = catalog.Commit{
		DatasetID: d.ID, ID: commit, Tag: commit, Previous: w.head.Commit.ID, Mode: mode, Message: r.Message, User: r.User,
		Hash: s.options.NewID(), Metadata: orEmpty(r.Metadata), Params: json.RawMessage("{}"),
	}
	w.batch, err = s.blobs.Batch(w.key())
	return err
}

func (w *work) readHead(tx catalog.Tx, dataset string) error {
	d, err := w.store.dataset(tx, dataset)
	if err != nil {
		return err
	}
	if w.head, err = w.store.snapshot(tx, d, d.Head); err != nil {
		return err
	}
	w.family, err = w.store.family(tx, d.FamilyID)
	return err
}

func orEmpty(m json.RawMessage) json.RawMessage {
	if len(m) == 0 {
		return json.RawMessage("{}")
	}
	return m
}

// connect opens the connection that the commit's statements run on.
func (w *work) connect(ctx context.Context) (err error) {
	w.conn, err = w.store.Conn(ctx)
	return err
}

// end gives back what the commit holds. After publish it changes nothing that stands.
func (w *work) end() {
	if w.conn != nil {
		w.conn.Close()
	}
	if w.batch != nil {
		w.batch.Discard()
	}
	if w.holdsID {
		w.family.mu.Unlock()
	}
	w.unlock()
}

// publish makes the commit stand: its description beside its files, all of it synced, then one catalog transaction.
// From here on the client's going away changes nothing.
func (w *work) publish(ctx context.Context) (catalog.Commit, error) {
	if err := w.deriveTypes(ctx); err != nil {
		return w.commit, err
	}
	ctx = context.WithoutCancel(ctx)
	if err := w.settle(); err != nil {
		return w.commit, err
	}
	unlock, err := w.reserveName(ctx)
	if err != nil {
		return w.commit, err
	}
	defer unlock()
	if err := w.store.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		w.answers, err = w.store.answer(tx, w.request, w.result())
		return err
	}); err != nil {
		return w.commit, err
	}
	if err := w.issue(); err != nil {
		return w.commit, err
	}
	if err := w.stand(ctx); err != nil {
		return w.commit, err
	}
	w.store.remember(w)
	return w.commit, nil
}

// issue writes the commit's description and publishes its folder.
func (w *work) issue() error {
	description, err := sealed(w.describe())
	if err != nil {
		return err
	}
	if err := w.store.halted(); err != nil {
		return err
	}
	if err := w.store.hasFolder(w.commit.DatasetID); err != nil && w.creation == nil && w.commit.Previous != 0 {
		return err
	}
	if err := w.batch.Write(descriptionFile, description); err != nil {
		return err
	}
	if err := w.batch.Publish(); err != nil {
		return w.withdraw(err)
	}
	return nil
}

// settle completes the commit: when it is made, how many records there are then, and which documents and files hold it.
func (w *work) settle() error {
	w.commit.CreatedAt = w.store.moment(w.head)
	w.commit.Total = w.head.Total() + w.commit.Added - w.commit.Removed
	if len(w.played) > 0 {
		w.commit.Total = w.head.Total() // they counted
	}
	for i := range w.savepoints {
		w.savepoints[i].CreatedAt, w.savepoints[i].UpdatedAt = w.commit.CreatedAt, w.commit.CreatedAt
	}
	return w.nameDocuments()
}

// nameDocuments names the schema and the properties that the commit leaves, and the schema of its files.
func (w *work) nameDocuments() (err error) {
	w.commit.SchemaID, w.commit.PropertiesID = w.head.SchemaID(), w.head.PropertiesID()
	if !reflect.DeepEqual(w.schema, w.head.Schema) {
		if w.commit.SchemaID, err = catalog.DocumentID(w.schema); err != nil {
			return err
		}
	}
	if !reflect.DeepEqual(w.properties, w.head.Properties) {
		w.commit.PropertiesID, err = catalog.DocumentID(w.properties)
	}
	for _, f := range w.opened {
		f.SchemaID = w.commit.SchemaID
	}
	return err
}

// moment is when a commit is made: after every commit before it, whatever the clock says.
func (s *Store) moment(head *snapshot.Snapshot) time.Time {
	now := s.now()
	for _, earlier := range []time.Time{head.Commit.CreatedAt, head.Dataset.CreatedAt} {
		if !now.After(earlier) {
			now = earlier.Add(time.Microsecond)
		}
	}
	return now
}

// record writes the commit's rows, and those of the commits that it played: the one transaction.
func (w *work) record(tx catalog.Tx) error {
	if w.creation != nil {
		if err := w.creation.record(tx); err != nil {
			return err
		}
	}
	if w.commit.Mode == catalog.Fork {
		if err := inherit(tx, w.head.Dataset); err != nil {
			return err
		}
	}
	d, before := w.head.Dataset, w.commit.Previous
	if len(w.played) > 0 {
		before = w.played[0].commit.Previous
	}
	if err := tx.MoveHead(d.ID, before, w.commit.ID, w.properties.Name); err != nil {
		return nameTaken(err, w.properties.Name)
	}
	for _, p := range append(w.played, w) {
		if err := p.recordOne(tx); err != nil {
			return err
		}
	}
	for _, p := range w.savepoints {
		if err := tx.AddSavepoint(p); err != nil {
			return err
		}
	}
	if err := w.store.numbers(tx, d.FamilyID, w.family, w.commit.ID); err != nil {
		return err
	}
	return w.answers.record(tx)
}

// recordOne writes one commit's rows.
func (w *work) recordOne(tx catalog.Tx) error {
	if err := w.documents(tx); err != nil {
		return err
	}
	if err := tx.AddCommit(w.commit); err != nil {
		return err
	}
	if err := w.entries(tx); err != nil {
		return err
	}
	for commit, rollback := range w.marks {
		if err := tx.SetRollback(w.commit.DatasetID, commit, rollback); err != nil {
			return err
		}
	}
	return nil
}

// result is what the request is told: the commit, or the dataset that was made with it.
func (w *work) result() any {
	switch {
	case w.merged != nil:
		w.merged.Commit = w.commit
		return *w.merged
	case w.creation == nil:
		return w.commit
	}
	return snapshot.State{Dataset: w.head.Dataset, Commit: w.commit, Schema: w.schema, Properties: w.properties}
}

// documents stores the schema and the properties that the commit leaves.
func (w *work) documents(tx catalog.Tx) (err error) {
	if w.commit.SchemaID != w.head.SchemaID() {
		if _, err = tx.AddDocument(w.schema); err != nil {
			return err
		}
	}
	if w.commit.PropertiesID != w.head.PropertiesID() {
		_, err = tx.AddDocument(w.properties)
	}
	return err
}

// entries opens and closes what the commit opens and closes.
func (w *work) entries(tx catalog.Tx) error {
	d, id := w.commit.DatasetID, w.commit.ID
	for _, f := range w.opened {
		if err := tx.AddFile(f); err != nil {
			return err
		}
		if err := tx.OpenEntry(d, f.ID, id); err != nil {
			return err
		}
	}
	for _, f := range w.reopened {
		if err := tx.OpenEntry(d, f.ID, id); err != nil {
			return err
		}
	}
	for _, f := range w.closed {
		if err := tx.CloseEntry(d, f.ID, id); err != nil {
			return err
		}
	}
	return nil
}

// numbers records what was given in the sequences and in the family, so that nothing is given twice.
func (s *Store) numbers(tx catalog.Tx, id string, f *family, commit int64) error {
	if err := tx.Advance("commit", commit); err != nil {
		return err
	}
	if err := tx.Advance("file", s.fileIDs.Load()); err != nil {
		return err
	}
	return tx.AdvanceFamily(id, f.lastRow.Load(), f.lastField.Load())
}

// remember keeps the new head, so that the next commit does not read it anew.
func (s *Store) remember(w *work) {
	for _, p := range append(w.played, w) {
		s.files.add(p.opened)
	}
	head := w.snapshotAfter()
	head.Dataset.Head, head.Dataset.Name = w.commit.ID, w.properties.Name
	s.heads.put(head)
}

// snapshotAfter is the state that the commit leaves.
func (w *work) snapshotAfter() *snapshot.Snapshot {
	out := *w.head
	out.Commit, out.Schema, out.Properties = w.commit, w.schema, w.properties
	gone := map[int64]bool{}
	for _, f := range w.closed {
		gone[f.ID] = true
	}
	out.Data, out.Rollbacks = w.nextFiles(schema.Data, gone), w.nextFiles(schema.Rollback, gone)
	out.Schemas = w.nextSchemas()
	return &out
}
