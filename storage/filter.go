package storage

import (
	"context"
	"slices"

	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/filecache"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Tables is the records of snapshots, as statements read them, clients' among them, and as files.
type Tables struct {
	*Files
	Sandboxes *clientsql.Sandboxes // that clients' SQL runs in
	exports   *filecache.Cache
}

// Filter opens a sandbox in which a snapshot's records are the view "records", for conditions that clients write. With
// place, the view also has _file and _pos. files are more files that our own statements on it may touch. The caller
// closes it. It is locked: it can read the snapshot's files and these, and nothing else.
func (t *Tables) Filter(ctx context.Context, snap *snapshot.Snapshot, place bool, files []string) (*duck.Conn, error) {
	return t.Sandboxes.OpenScope(ctx, place, t.scopeOf(snap, place, files))
}

// scopeOf is what such a sandbox is confined to.
func (t *Tables) scopeOf(snap *snapshot.Snapshot, place bool, files []string) duck.Scope {
	table := snap.Table()
	if place {
		table = snap.PlacedTable()
	}
	return duck.Scope{
		Files: append(snap.Paths(), files...),
		Setup: []string{t.Sandboxes.Threads(len(snap.Schema.Columns)), "CREATE VIEW records AS " + table},
		Keep:  !place && len(files) == 0,
	}
}

// OpenTable opens a connection on which some columns of a snapshot can be read from from, by name. Where one of them is
// derived, it is a sandbox.
func (t *Tables) OpenTable(
	ctx context.Context, snap *snapshot.Snapshot, columns []schema.Column,
) (conn *duck.Conn, from string, err error) {
	return t.openTable(ctx, snap, columns, nil)
}

// openTable is OpenTable where files may be touched too.
func (t *Tables) openTable(
	ctx context.Context, snap *snapshot.Snapshot, columns []schema.Column, files []string,
) (conn *duck.Conn, from string, err error) {
	if slices.ContainsFunc(columns, schema.Column.Derived) {
		conn, err = t.Filter(ctx, snap, false, files)
		return conn, "records", err
	}
	conn, err = t.Conn(ctx)
	return conn, "(" + snap.StoredTable() + ")", err
}
