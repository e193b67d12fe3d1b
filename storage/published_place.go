package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/published"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Place puts the metadata of one state on the shelf, and returns the URI of a directory that engines read as an Iceberg
// table: it has metadata/v1.metadata.json. Whoever has the address needs neither the catalog nor a token, only access to
// the files.
func (p *Published) Place(ctx context.Context, dataset, ref string) (address string, err error) {
	if ref == "" {
		ref = "head"
	}
	// What was erased is told by the directory (eraseOf): it is asked for first, so a table that was erased in between is
	// in the older one, which is removed.
	m, err := p.shelfOf(ctx, dataset, ref)
	if err != nil {
		return "", err
	}
	t, err := p.Table(ctx, dataset, ref, false)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(t.Metadata())
	if err != nil {
		return "", err
	}
	directory := m.name("table", "iceberg", string(text))
	name := directory + "/metadata/v1.metadata.json"
	address = m.blobs.ShelfAddress(directory)
	if _, ok, err := m.has(ctx, name); err != nil || ok {
		return address, err
	}
	scratch := m.blobs.Scratch(path.Base(name))
	if err := m.blobs.WriteScratch(scratch, text); err != nil {
		return "", err
	}
	_, err = m.shelve(ctx, name, scratch, int64(len(text)))
	return address, err
}

// shelfOf returns the place on the shelf for what is made of a dataset's states.
func (p *Published) shelfOf(ctx context.Context, dataset, ref string) (*publishing, error) {
	w, err := p.wanted(ctx, dataset, ref, false)
	if err != nil {
		return nil, err
	}
	return &publishing{
		Published: p, directory: fmt.Sprintf("%s/%d", w.dataset.FamilyID, w.erase), oldest: time.Now(),
	}, nil
}

// Difference puts the difference between two states on the shelf, record by record, and returns the URI of its Parquet
// file. It reads what differs, and nothing else. Types are those that engines have.
func (p *Published) Difference(ctx context.Context, dataset, from, to string) (address string, err error) {
	m, err := p.shelfOf(ctx, dataset, "head")
	if err != nil {
		return "", err
	}
	a, err := p.history.Snapshot(ctx, dataset, from)
	if err != nil {
		return "", err
	}
	b, err := p.history.Snapshot(ctx, dataset, to)
	if err != nil {
		return "", err
	}
	sql, columns, err := snapshot.Diff(a, b).Records()
	if err != nil {
		return "", err
	}
	sql, columns = forEngines(sql, columns)
	name := m.name("diff", "parquet", fmt.Sprint(a.Commit.ID, "..", b.Commit.ID), sql)
	if _, ok, err := m.has(ctx, name); err != nil || ok {
		return m.blobs.ShelfAddress(name), err
	}
	return m.write(ctx, name, output.Query{SQL: sql, Columns: columns})
}

// write writes the result of a query to a Parquet file on the shelf.
func (m *publishing) write(ctx context.Context, name string, q output.Query) (address string, err error) {
	conn, err := m.Conn(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	scratch := m.blobs.Scratch("diff.parquet")
	size := int64(0)
	if _, err = q.CopyTo(ctx, conn, scratch); err == nil {
		size, err = m.sizeOf(scratch)
	}
	if err == nil {
		err = m.sync(scratch)
	}
	if err != nil {
		m.blobs.RemoveScratch(scratch)
		return "", err
	}
	return m.shelve(ctx, name, scratch, size)
}

// forEngines casts the columns of a query to types that engines have. Where there is none, it is text.
func forEngines(sql string, columns []schema.Column) (string, []schema.Column) {
	list := make([]string, len(columns))
	out := make([]schema.Column, len(columns))
	for i, c := range columns {
		typ, ok := published.Stored(c.Type)
		if !ok {
			typ = schema.Of(schema.Varchar)
		}
		name := duck.Ident(c.Name)
		list[i], out[i] = snapshot.Cast(c.Type, typ, name)+" AS "+name, schema.Column{ID: c.ID, Name: c.Name, Type: typ}
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM (" + sql + ")", out
}
