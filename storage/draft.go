package storage

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// draft is what a commit is: what it opens, reopens and closes, and what the dataset is after it. It is plain data, and
// clone makes another draft of it. What is held while a commit is made is in work.
type draft struct {
	head       *snapshot.Snapshot // that it is made on
	commit     catalog.Commit
	schema     schema.Schema
	properties catalog.Properties
	bound      schema.Schema            // that the types of derived columns were found for
	excluding  string                   // exclusionInputs that were found to be computable
	opened     []*catalog.File          // written by this commit
	reopened   []*catalog.File          // live again
	back       map[string]schema.Schema // the schemas of those, by document id
	closed     []*catalog.File          // live no more
	marks      map[int64]int64          // commits whose rollback_commit_id changes; 0: none any more
	warnings   []string                 // of what the commit could not keep
}

// draftOn is a draft that changes nothing. It has no commit yet: that comes with its id.
func draftOn(head *snapshot.Snapshot) draft {
	return draft{
		head: head, schema: head.Schema, properties: head.Properties, bound: head.Schema,
		excluding: exclusionInputs(head.Schema, head.Properties.Exclusion), marks: map[int64]int64{},
	}
}

// clone returns a draft that can be changed without this one.
func (d *draft) clone() draft {
	// What the slices and maps point to never changes: files and schemas are shared.
	other := *d
	other.opened, other.reopened, other.closed = slices.Clone(d.opened), slices.Clone(d.reopened), slices.Clone(d.closed)
	other.back, other.marks = maps.Clone(d.back), maps.Clone(d.marks)
	return other
}

// setParam records what a commit was asked to do, or what came of it. Parameters are the log's (seed 001): they are
// stored with the commit and shown, and few are read again.
func (d *draft) setParam(name string, value any) {
	params := map[string]any{}
	kept := map[string]json.RawMessage{} // as they were written: numbers past a double's too
	if json.Unmarshal(d.commit.Params, &kept) == nil {
		for other, text := range kept {
			params[other] = text
		}
	}
	params[name] = value
	text, err := json.Marshal(params)
	if err != nil {
		panic(fmt.Sprintf("a commit's parameter %s that has no JSON: %v", name, err))
	}
	d.commit.Params = text
}

// nameDocuments names the schema and the properties that the commit leaves, and the schema of its files.
func (d *draft) nameDocuments() (err error) {
	d.commit.SchemaID, d.commit.PropertiesID = d.head.SchemaID(), d.head.PropertiesID()
	// Most commits change neither, and then no document is encoded.
	if !reflect.DeepEqual(d.schema, d.head.Schema) {
		if d.commit.SchemaID, err = catalog.DocumentID(d.schema); err != nil {
			return err
		}
	}
	if !reflect.DeepEqual(d.properties, d.head.Properties) {
		d.commit.PropertiesID, err = catalog.DocumentID(d.properties)
	}
	for _, f := range d.opened {
		f.SchemaID = d.commit.SchemaID
	}
	return err
}

// state is what the dataset is after the commit, but for its records. Its counts are in the commit.
func (d *draft) state() snapshot.State {
	return snapshot.State{Dataset: d.head.Dataset, Commit: d.commit, Schema: d.schema, Properties: d.properties}
}

// leaves is the snapshot that the commit leaves. It is made from the head's and what changed, without the catalog: the
// commit is not in it yet.
func (d *draft) leaves() *snapshot.Snapshot {
	// The files that the commit opens were written with its own schema; those that it reopens have older ones.
	schemas := map[string]schema.Schema{d.commit.SchemaID: d.schema}
	for id, s := range d.back {
		if id != d.commit.SchemaID {
			schemas[id] = s
		}
	}
	return d.head.Next(d.state(), slices.Concat(d.reopened, d.opened), d.closed, schemas)
}

// record writes the commit's rows.
func (d *draft) record(tx catalog.Tx) error {
	// In the order in which rows refer to each other: documents, the commit, its files, their entries.
	if err := d.documents(tx); err != nil {
		return err
	}
	if err := tx.AddCommit(d.commit); err != nil {
		return err
	}
	if err := d.entries(tx); err != nil {
		return err
	}
	for commit, rollback := range d.marks {
		if err := tx.SetRollback(d.commit.DatasetID, commit, rollback); err != nil {
			return err
		}
	}
	return nil
}

// documents stores the schema and the properties that the commit leaves.
func (d *draft) documents(tx catalog.Tx) (err error) {
	if d.commit.SchemaID != d.head.SchemaID() {
		if _, err = tx.AddDocument(d.schema); err != nil {
			return err
		}
	}
	if d.commit.PropertiesID != d.head.PropertiesID() {
		_, err = tx.AddDocument(d.properties)
	}
	return err
}

// entries opens and closes what the commit opens and closes.
func (d *draft) entries(tx catalog.Tx) error {
	dataset, id := d.commit.DatasetID, d.commit.ID
	for _, f := range d.opened {
		if err := tx.AddFile(f); err != nil {
			return err
		}
		if err := tx.OpenEntry(dataset, f.ID, id); err != nil {
			return err
		}
	}
	// A file may serve a dataset more than once: each time has an entry of its own, and the file is not touched.
	for _, f := range d.reopened {
		if err := tx.OpenEntry(dataset, f.ID, id); err != nil {
			return err
		}
	}
	for _, f := range d.closed {
		if err := tx.CloseEntry(dataset, f.ID, id); err != nil {
			return err
		}
	}
	return nil
}

// key is the directory of the commit's objects.
func (d *draft) key() string { return commitKey(d.commit.DatasetID, d.commit.ID) }
