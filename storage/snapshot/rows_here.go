package snapshot

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// KeyedRows is rows by their key, whose columns are the first ones.
type KeyedRows struct {
	arrow.RecordBatch
	key int // columns
	at  map[string]int
}

// AreReadHere reports whether ReadRows reads some columns, if their values allow it.
func (s *Snapshot) AreReadHere(columns []schema.Column) bool {
	key := s.Schema.KeyColumns()
	return s.reader != nil && !s.isPicked && arePlainKeys(key) && areReadHere(s.Opens(), slices.Concat(key, columns))
}

// ReadRows reads the key and some columns of the snapshot's rows, in the order of its files, without a statement: few
// rows of many columns of plain types. ok is false for others.
func (s *Snapshot) ReadRows(ctx context.Context, columns []schema.Column) (rows KeyedRows, ok bool, err error) {
	if !s.AreReadHere(columns) {
		return rows, false, nil
	}
	key := s.Schema.KeyColumns()
	pieces, ok, err := s.liveHere(ctx, laid(slices.Concat(key, columns)))
	if !ok || err != nil || len(pieces) == 0 {
		return rows, false, err
	}
	batch, err := s.reader(ctx, pieces)
	if batch == nil || err != nil {
		return rows, false, err
	}
	rows = KeyedRows{batch, len(key), make(map[string]int, batch.NumRows())}
	for row := range int(batch.NumRows()) {
		rows.at[keyText(batch, rows.key, row)] = row
	}
	return rows, true, nil
}

// Pick returns columns of the rows that have given keys, in their order and without the key; nil where one is missing.
// Fields are named after columns.
func (r KeyedRows) Pick(keys arrow.RecordBatch, columns []schema.Column) arrow.RecordBatch {
	rows := make([]int, keys.NumRows())
	for i := range rows {
		row, ok := r.at[keyText(keys, r.key, i)]
		if !ok {
			return nil
		}
		rows[i] = row
	}
	fields, picked := make([]arrow.Field, len(columns)), make([]arrow.Array, len(columns))
	for i, c := range columns {
		from := r.Column(r.key + i)
		fields[i] = arrow.Field{Name: c.Name, Type: from.DataType(), Nullable: true}
		picked[i] = duck.Take(from, rows)
		defer picked[i].Release()
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), picked, int64(len(rows)))
}

// arePlainKeys reports whether equal keys have the same text, and no others do.
func arePlainKeys(columns []schema.Column) bool {
	return !slices.ContainsFunc(columns, func(k schema.Column) bool {
		return !k.Type.IsInteger() && k.Type.Name != schema.Varchar && k.Type.Name != schema.Date
	})
}

// keyText is the text of a key, whose columns are the first ones.
func keyText(rows arrow.RecordBatch, columns, row int) string {
	var key strings.Builder
	for i := range columns {
		addKey(&key, rows.Column(i), row)
	}
	return key.String()
}

// addKey adds a value to the text of a key.
func addKey(key *strings.Builder, values arrow.Array, row int) {
	text := values.ValueStr(row)
	fmt.Fprintf(key, "%d:%s", len(text), text)
}

// compareKeys orders plain values as ORDER BY does.
func compareKeys(a arrow.Array, i int, b arrow.Array, j int) int {
	switch x := a.(type) {
	case *array.Int8:
		return cmp.Compare(x.Value(i), b.(*array.Int8).Value(j))
	case *array.Int16:
		return cmp.Compare(x.Value(i), b.(*array.Int16).Value(j))
	case *array.Int32:
		return cmp.Compare(x.Value(i), b.(*array.Int32).Value(j))
	case *array.Int64:
		return cmp.Compare(x.Value(i), b.(*array.Int64).Value(j))
	case *array.Uint8:
		return cmp.Compare(x.Value(i), b.(*array.Uint8).Value(j))
	case *array.Uint16:
		return cmp.Compare(x.Value(i), b.(*array.Uint16).Value(j))
	case *array.Uint32:
		return cmp.Compare(x.Value(i), b.(*array.Uint32).Value(j))
	case *array.Uint64:
		return cmp.Compare(x.Value(i), b.(*array.Uint64).Value(j))
	case *array.Date32:
		return cmp.Compare(x.Value(i), b.(*array.Date32).Value(j))
	}
	return bytes.Compare([]byte(a.(*array.String).Value(i)), []byte(b.(*array.String).Value(j)))
}
