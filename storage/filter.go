package storage

import (
	"context"
	"slices"

	"rowback/storage/duck"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// Filter opens a sandbox in which a snapshot's records are the view "records", for conditions that clients write. With
// place, the view also has _file and _pos. files are more files that our own statements on it may touch.
func (s *Store) Filter(ctx context.Context, snap *snapshot.Snapshot, place bool, files []string) (*duck.Conn, error) {
	table := snap.Table()
	if place {
		table = snap.PlacedTable()
	}
	return s.Sandboxes.OpenLocked(ctx, place, append(files, snap.Paths()...),
		s.Sandboxes.Threads(len(snap.Schema.Columns)), "CREATE VIEW records AS "+table)
}

// OpenTable opens a connection on which some columns of a snapshot can be read from from, by name. Where one of them is
// derived, it is a sandbox.
func (s *Store) OpenTable(
	ctx context.Context, snap *snapshot.Snapshot, columns []schema.Column,
) (conn *duck.Conn, from string, err error) {
	return s.openTable(ctx, snap, columns, nil)
}

// openTable is OpenTable where files may be touched too.
func (s *Store) openTable(
	ctx context.Context, snap *snapshot.Snapshot, columns []schema.Column, files []string,
) (conn *duck.Conn, from string, err error) {
	if slices.ContainsFunc(columns, schema.Column.Derived) {
		conn, err = s.Filter(ctx, snap, false, files)
		return conn, "records", err
	}
	conn, err = s.Conn(ctx)
	return conn, "(" + snap.StoredTable() + ")", err
}
