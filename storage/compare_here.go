package storage

import (
	"encoding/json"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/lookup"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Few records are compared with the live ones here, where these were looked up with their values, and where the values
// are of types that are plain to compare: a statement takes longer than all the rest of such a commit. It does what
// fewChanges does (rewrite.go), which is what the tests hold it to.

// comparison is few incoming records beside the live ones of the same keys, in memory.
type comparison struct {
	*draft
	in     *incoming
	came   arrow.RecordBatch
	live   []*snapshot.Found            // by record; nil: it is new
	fields []map[string]json.RawMessage // that each record has, of an upsert in JSON
}

// compareHere returns what fewChanges does; nil, if a statement has to compare.
func (d *draft) compareHere(in *incoming, live *snapshot.Snapshot) arrow.RecordBatch {
	values, ok := in.kept.(keptValues)
	found, known := live.Found()
	if !ok || !known {
		return nil
	}
	c := comparison{draft: d, in: in, came: values.came, live: make([]*snapshot.Found, in.rows)}
	for i, f := range found {
		if f.Record == nil || c.live[f.Key] != nil || !c.isPlain(live.SchemaOf(f.Part.File)) {
			return nil
		}
		c.live[f.Key] = &found[i]
	}
	if !c.isPlain(d.schema) || !c.readFields() {
		return nil
	}
	return c.changes()
}

// isPlain reports whether the values of files of a schema, and those that came, can be compared here.
func (c *comparison) isPlain(file schema.Schema) bool {
	for _, column := range c.schema.Stored() {
		own, ok := file.ByID(column.ID)
		if ok && !own.Type.Equal(column.Type) || lookup.ArrowType(column.Type) == nil {
			return false
		}
		if c.in.has(column.ID) && c.in.came(column.ID).Type.Name != schema.Null && !c.isComparable(column) {
			return false
		}
	}
	return true
}

// isComparable reports whether values of a column that came are in the form that stored ones have, in which equal ones
// are the same. A UUID, say, may be written in two ways.
func (c *comparison) isComparable(column schema.Column) bool {
	t := column.Type
	switch t.Name {
	case schema.Boolean, schema.Double, schema.Decimal, schema.Date, schema.Timestamp, schema.TimestampTZ, schema.Varchar:
	default:
		if !t.IsInteger() {
			return false
		}
	}
	return arrow.TypeEqual(c.came.Column(c.from(column.ID)).DataType(), lookup.ArrowType(t))
}

// from is the number of a column in the upload.
func (c *comparison) from(id int) int { return c.in.columns[c.in.index(id)].from }

// readFields reads which fields each record has, where that matters; ok is false if it can't.
func (c *comparison) readFields() (ok bool) {
	if !c.in.texts {
		return true
	}
	c.fields = make([]map[string]json.RawMessage, c.in.rows)
	for row := range c.fields {
		text := c.came.Column(len(c.in.offered)).ValueStr(row)
		if json.Unmarshal([]byte(text), &c.fields[row]) != nil {
			return false
		}
	}
	return true
}

// changes returns the records that are new or differ, as the columns of draft.changes.
func (c *comparison) changes() arrow.RecordBatch {
	stored := c.schema.Stored()
	var changed, added [][]arrow.Array
	for row, live := range c.live {
		after, before, differs := c.record(stored, row)
		cells := append(after, integer(c.commit.RowTag))
		cells = append(append(cells, before...), c.place(live)...)
		cells = append(cells, integer(int64(row)))
		switch {
		case live == nil:
			added = append(added, cells)
		case differs:
			changed = append(changed, cells)
		}
	}
	return batchOfRows(changeNames(stored), c.changeTypes(stored), append(changed, added...))
}

// record returns the values of a record after the commit and before it, and reports whether they differ.
func (c *comparison) record(stored []schema.Column, row int) (after, before []arrow.Array, differs bool) {
	for _, column := range stored {
		old := null(column.Type)
		if live := c.live[row]; live != nil && live.Record[column.ID] != nil {
			old = live.Record[column.ID]
		}
		now, kept := c.after(column, row)
		if kept {
			now = old
		}
		differs = differs || !kept && !array.SliceEqual(now, 0, 1, old, 0, 1)
		after, before = append(after, now), append(before, old)
	}
	return after, before, differs
}

// after returns the value of a column after the commit; kept: it is what it was.
func (c *comparison) after(column schema.Column, row int) (value arrow.Array, kept bool) {
	if !c.in.has(column.ID) {
		return null(column.Type), c.commit.Mode == catalog.Upsert
	}
	came := c.in.came(column.ID)
	if values := c.came.Column(c.from(column.ID)); came.Type.Name != schema.Null && values.IsValid(row) {
		return array.NewSlice(values, int64(row), int64(row)+1), false
	}
	// In JSON, a field that is absent keeps its value and a null clears it (incoming.merge).
	if c.fields != nil {
		_, isThere := c.fields[row][came.Name]
		return null(column.Type), !isThere
	}
	return null(column.Type), false
}

// place is _commit, _file and _pos of a live record; nulls, if there is none.
func (c *comparison) place(live *snapshot.Found) []arrow.Array {
	if live == nil {
		none := null(schema.Of(schema.Bigint))
		return []arrow.Array{none, none, none}
	}
	return []arrow.Array{live.Record[schema.CommitID], integer(live.Place.File), integer(live.Place.Row)}
}

// changeNames are the names of the columns of draft.changes.
func changeNames(stored []schema.Column) (names []string) {
	for _, prefix := range []string{"a", "b"} {
		for _, column := range stored {
			names = append(names, fmt.Sprint(prefix, column.ID))
		}
		names = append(names, prefix+schema.CommitColumn)
	}
	return append(names, schema.FileColumn, schema.PosColumn, "_n")
}

// changeTypes are their types.
func (c *comparison) changeTypes(stored []schema.Column) (types []arrow.DataType) {
	number := lookup.ArrowType(schema.Of(schema.Bigint))
	for range 2 {
		for _, column := range stored {
			types = append(types, lookup.ArrowType(column.Type))
		}
		types = append(types, number)
	}
	return append(types, number, number, number)
}

// batchOfRows is rows, of arrays of one, as a batch; nil, if that fails.
func batchOfRows(names []string, types []arrow.DataType, rows [][]arrow.Array) arrow.RecordBatch {
	fields, columns := make([]arrow.Field, len(names)), make([]arrow.Array, len(names))
	for i := range names {
		fields[i] = arrow.Field{Name: names[i], Type: types[i], Nullable: true}
		cells := make([]arrow.Array, len(rows))
		for row := range rows {
			cells[row] = rows[row][i]
		}
		var err error
		if columns[i], err = together(cells, types[i]); err != nil {
			return nil
		}
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, int64(len(rows)))
}

func together(cells []arrow.Array, t arrow.DataType) (arrow.Array, error) {
	switch len(cells) {
	case 0:
		return array.MakeArrayOfNull(memory.DefaultAllocator, t, 0), nil
	case 1:
		return cells[0], nil
	}
	return array.Concatenate(cells, memory.DefaultAllocator)
}

// null is a null of a type, as an array of one.
func null(t schema.Type) arrow.Array {
	return array.MakeArrayOfNull(memory.DefaultAllocator, lookup.ArrowType(t), 1)
}

func integer(n int64) arrow.Array { return int64s(1, n, 0) }
