package storagetest

import (
	"context"
	"encoding/json"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// Gate reads a gate as clients write it.
func Gate(text string) (g catalog.Gate) {
	if err := json.Unmarshal([]byte(text), &g); err != nil {
		panic(err)
	}
	return g
}

// TryGates sets the gates of a dataset, each given as JSON.
func (b *Bench) TryGates(d string, gates ...string) error {
	b.Helper()
	list := []catalog.Gate{}
	for _, text := range gates {
		list = append(list, Gate(text))
	}
	_, err := b.SetGates(context.Background(), d, func([]catalog.Gate) ([]catalog.Gate, error) { return list, nil },
		storage.Request{})
	return err
}

// UseGates is TryGates, and fails the test where that is refused.
func (b *Bench) UseGates(d string, gates ...string) {
	b.Helper()
	if err := b.TryGates(d, gates...); err != nil {
		b.Fatal(err)
	}
}

// HeadID is the id of the newest commit of a dataset.
func (b *Bench) HeadID(d string) int64 {
	b.Helper()
	id, err := b.Resolve(context.Background(), d, "head")
	b.Must(err)
	return id
}

// SchemaAt returns the schema at a ref.
func (b *Bench) SchemaAt(d, ref string) schema.Schema {
	b.Helper()
	s, err := b.State(context.Background(), d, ref)
	if err != nil {
		b.Fatal(err)
	}
	return s.Schema
}

// ColumnID is the field id of a column at the head.
func (b *Bench) ColumnID(d, name string) int {
	b.Helper()
	c, ok := b.SchemaAt(d, "head").ByName(name)
	if !ok {
		b.Fatalf("there is no column %q", name)
	}
	return c.ID
}

// TryEdit changes a variable.
func (b *Bench) TryEdit(d, name string, e storage.VariableEdit) (catalog.Commit, schema.Column, error) {
	b.Helper()
	return b.EditVariable(context.Background(), d, b.ColumnID(d, name), e, storage.Request{})
}

// Undo rolls a commit back, and fails the test where that is refused.
func (b *Bench) Undo(d string, commit int64) catalog.Commit {
	b.Helper()
	c, err := b.TryRollback(d, commit, storage.Stack)
	if err != nil {
		b.Fatal(err)
	}
	return c
}
