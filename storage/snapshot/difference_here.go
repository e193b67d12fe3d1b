package snapshot

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// ListHere returns the records of List, which are read without statements: few records of many columns of plain types.
// It returns nil for others.
func (d *Difference) ListHere(ctx context.Context, s Selection) (arrow.RecordBatch, error) {
	d, err := d.watching(s.Columns)
	if err != nil {
		return nil, err
	}
	changes, err := kinds(s.Changes)
	if err != nil || d.Empty() || !d.isCountedHere(d.compared()) {
		return nil, err
	}
	a, b, err := d.readSides(ctx)
	if a == nil || err != nil {
		return nil, err
	}
	defer a.Release()
	defer b.Release()
	l := listHere{Difference: d, a: d.sideOf(a), b: d.sideOf(b)}
	l.find(changes)
	l.cut(s)
	return l.batch()
}

// readSides reads both sides without statements; nil where they can't be.
func (d *Difference) readSides(ctx context.Context) (a, b arrow.RecordBatch, err error) {
	if !areReadHere(d.Files(), d.Schema.Stored()) {
		return nil, nil, nil
	}
	if a, err = d.sides[0].readHere(ctx, d.B); a == nil || err != nil {
		return nil, nil, err
	}
	if b, err = d.sides[1].readHere(ctx, d.A); b == nil || err != nil {
		a.Release()
		return nil, nil, err
	}
	return a, b, nil
}

// listHere is a difference record by record, of two sides that were read.
type listHere struct {
	*Difference
	a, b    sideHere
	changes []changeHere
}

// changeHere is a record that differs.
type changeHere struct {
	kind   string
	before int // its row in side A; -1: none
	after  int // its row in side B; -1: none
}

// find finds the records that differ in one of some ways, in the order of their key.
func (l *listHere) find(kinds []string) {
	add := func(kind string, before, after int) {
		if slices.Contains(kinds, kind) {
			l.changes = append(l.changes, changeHere{kind, before, after})
		}
	}
	for key, after := range l.b.at {
		if before, ok := l.a.at[key]; !ok {
			add(Added, -1, after)
		} else if l.differ(before, after) {
			add(Modified, before, after)
		}
	}
	for key, before := range l.a.at {
		if _, ok := l.b.at[key]; !ok {
			add(Removed, before, -1)
		}
	}
	slices.SortFunc(l.changes, l.compareKeys)
}

// differ reports whether the two rows of a record differ in a column that is watched.
func (l *listHere) differ(before, after int) bool {
	return slices.ContainsFunc(l.compared(), func(c schema.Column) bool {
		return (l.watched == nil || l.watched[c.ID]) && !sameValue(l.a.column(c), before, l.b.column(c), after)
	})
}

// keyIn returns where a column of the key of a record is.
func (l *listHere) keyIn(c changeHere, key schema.Column) (arrow.Array, int) {
	if c.before < 0 {
		return l.b.column(key), c.after
	}
	return l.a.column(key), c.before
}

func (l *listHere) compareKeys(x, y changeHere) int {
	for _, key := range l.Schema.KeyColumns() {
		a, i := l.keyIn(x, key)
		b, j := l.keyIn(y, key)
		if order := compareKeys(a, i, b, j); order != 0 {
			return order
		}
	}
	return 0
}

// cut leaves the records of a page.
func (l *listHere) cut(s Selection) {
	l.changes = l.changes[min(s.Offset, int64(len(l.changes))):]
	if s.Limit != nil {
		l.changes = l.changes[:min(*s.Limit, int64(len(l.changes)))]
	}
}

// batch returns the records, with the columns of recordColumns.
func (l *listHere) batch() (arrow.RecordBatch, error) {
	kinds := array.NewStringBuilder(memory.DefaultAllocator)
	defer kinds.Release()
	before, after := make([]int, len(l.changes)), make([]int, len(l.changes))
	for i, c := range l.changes {
		kinds.Append(c.kind)
		before[i], after[i] = c.before, c.after
	}
	columns := []arrow.Array{kinds.NewArray()}
	for _, key := range l.Schema.KeyColumns() {
		column, err := l.either(key, before, after)
		if err != nil {
			return nil, err
		}
		columns = append(columns, column)
	}
	columns = append(columns, l.records(l.a, l.A.Schema, before), l.records(l.b, l.B.Schema, after))
	fields := make([]arrow.Field, len(columns))
	for i, c := range l.recordColumns() {
		fields[i] = arrow.Field{Name: c.Name, Type: columns[i].DataType(), Nullable: true}
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, int64(len(l.changes))), nil
}

// either returns a column of the key, of the rows that either side has.
func (l *listHere) either(key schema.Column, before, after []int) (arrow.Array, error) {
	a, b := l.a.column(key), l.b.column(key)
	both, err := array.Concatenate([]arrow.Array{a, b}, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	defer both.Release()
	rows := slices.Clone(before)
	for i, row := range after {
		if rows[i] < 0 {
			rows[i] = a.Len() + row
		}
	}
	return duck.Take(both, rows), nil
}

// records returns rows of a side as structs of the columns that it has (recordType).
func (l *listHere) records(s sideHere, own schema.Schema, rows []int) arrow.Array {
	var fields []arrow.Field
	var values []arrow.ArrayData
	for _, c := range l.Schema.Stored() {
		if mine, ok := own.ByID(c.ID); ok {
			column := duck.Take(s.column(c), rows)
			defer column.Release()
			fields = append(fields, arrow.Field{Name: mine.Name, Type: column.DataType(), Nullable: true})
			values = append(values, column.Data())
		}
	}
	valid, nulls := make([]byte, bitutil.BytesForBits(int64(len(rows)))), 0
	for i, row := range rows {
		if row < 0 {
			nulls++
		} else {
			bitutil.SetBit(valid, i)
		}
	}
	data := array.NewData(arrow.StructOf(fields...), len(rows), []*memory.Buffer{memory.NewBufferBytes(valid)}, values,
		nulls, 0)
	defer data.Release()
	return array.NewStructData(data)
}
