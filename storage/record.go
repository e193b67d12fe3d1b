package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/lookup"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// WithKey returns a snapshot with only the record that has a key, as clients write it, or with none if there is none.
func (h *History) WithKey(ctx context.Context, s *snapshot.Snapshot, key string) (*snapshot.Snapshot, error) {
	columns := s.Schema.KeyColumns()
	if slices.ContainsFunc(columns, func(c schema.Column) bool { return c.Type.Name == schema.Null }) {
		return s.Picked(nil), nil // there has been no record yet, so the key has no type
	}
	conn, err := h.stored.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	k, err := recordKey(ctx, conn, columns, key)
	if err != nil {
		return nil, err
	}
	near := s.Within(k.Bounds)
	if len(near.Data) == 0 {
		return s.Picked(nil), nil
	}
	sought, err := lookupKey(ctx, conn, k)
	if err != nil {
		return nil, err
	}
	if found, ok := h.keys.find(ctx, near, sought); ok {
		return found, nil
	}
	return scanned(ctx, conn, near, k)
}

// lookupKey returns a record's key as it is looked up; none if it can't be.
func lookupKey(ctx context.Context, conn *duck.Conn, k snapshot.RecordKey) ([]lookup.Key, error) {
	values := make([]string, len(k.Values))
	for i, v := range k.Values {
		values[i] = fmt.Sprintf("%s AS v%d", v, i)
	}
	batch, err := conn.Batch(ctx, "SELECT "+strings.Join(values, ", "))
	if err != nil {
		return nil, err
	}
	defer batch.Release()
	return keysFrom(batch.Columns(), k.Columns), nil
}

// scanned finds a record by a statement.
func scanned(
	ctx context.Context, conn *duck.Conn, s *snapshot.Snapshot, k snapshot.RecordKey,
) (*snapshot.Snapshot, error) {
	has := make([]string, len(k.Columns))
	for i, c := range k.Columns {
		has[i] = schema.ColumnName(c.ID) + " " + snapshot.Equals(c.Type) + " " + k.Values[i]
	}
	var found []snapshot.Found
	query := duck.Fill(placesWithKey, duck.Parts{
		"live": s.Narrow(k.Columns).Rows(true), "has_key": strings.Join(has, " AND "),
	})
	err := conn.Rows(ctx, query, func(scan duck.Scan) error {
		var p snapshot.Place
		err := scan(&p.File, &p.Row)
		for _, f := range s.Data {
			if f.ID == p.File {
				part := snapshot.PartsOf([]*catalog.File{f})[0]
				found = append(found, snapshot.Found{Part: part, Row: p.Row, Place: p})
			}
		}
		return err
	})
	return s.Picked(found), err
}

const placesWithKey = `SELECT _file, _pos FROM ({live}) WHERE {has_key}`
