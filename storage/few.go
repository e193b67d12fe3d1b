package storage

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Few records go from memory: appended, they are written without a statement, which takes as long as all the rest of a
// one-row commit; in other modes they are compared with the live ones here (compare_here.go), or are part of the one
// statement that does.

// readFew keeps the records in memory: as the rows of a data file where they are appended, else as part of a statement
// or as a table. done is false where they turn out to be many.
func (a arriving) readFew(ctx context.Context) (done bool, err error) {
	decoded, ok := a.records.Records.(intake.Decoded)
	ok = ok && a.in.asOffered()
	if a.commit.Mode == catalog.Append && !a.in.has(schema.RowID) {
		var batch arrow.RecordBatch
		if ok {
			batch, err = a.assemble(decoded)
		} else {
			batch, err = a.records.few(ctx, a.in.want(a.commit.Mode), a.dataRows)
		}
		if batch != nil {
			a.in.kept, a.in.rows = keptBatch{batch}, batch.NumRows()
		}
		return batch != nil, err
	}
	// Appended records need no statement at all. The others become part of the one that compares them with live records.
	if ok && a.commit.Mode != catalog.Append {
		if done, err := a.readLiteral(decoded); done || err != nil {
			return done, err
		}
	}
	return a.readTable(ctx)
}

// readTable keeps the records in the table incoming.
func (a arriving) readTable(ctx context.Context) (done bool, err error) {
	var columns []schema.Column
	var list []string
	add := func(name, expr string, t schema.Type) {
		columns = append(columns, schema.Column{Name: name, Type: t})
		list = append(list, expr+" AS "+name)
	}
	for _, c := range a.in.columns {
		add(schema.ColumnName(c.ID), c.expr, c.Type)
	}
	add("_n", "_n", schema.Of(schema.Bigint))
	if a.in.texts = a.in.keepsText(a.commit.Mode); a.in.texts {
		add("_json", "_json", schema.Of(schema.Varchar))
	}
	a.in.kept = &keptTable{}
	check := func(batch arrow.RecordBatch) error { return checkBatch(a.in.doubtful(), a.in.inTable(batch)) }
	query := func(from string) string { return "SELECT " + strings.Join(list, ", ") + " FROM (" + from + ")" }
	a.in.rows, err = a.table(ctx, a.records, a.in.want(a.commit.Mode), incomingTable, query, columns, check)
	return err == nil, err
}

// asOffered reports whether every column takes the records' values as they are.
func (in *incoming) asOffered() bool {
	for _, c := range in.columns {
		if o := in.offered[c.from].Type; o.Name != schema.Null && !o.Equal(c.Type) {
			return false
		}
	}
	return true
}

// assemble makes the rows of decoded records.
func (a arriving) assemble(decoded intake.Decoded) (arrow.RecordBatch, error) {
	came, err := decoded.Batch()
	if came == nil {
		return nil, err
	}
	defer came.Release()
	rows := int(came.NumRows())
	var fields []arrow.Field
	var columns []arrow.Array
	add := func(name string, values arrow.Array) {
		fields = append(fields, arrow.Field{Name: name, Type: values.DataType(), Nullable: true})
		columns = append(columns, values)
	}
	// A data file has all columns of the schema, whether they came or not.
	for _, c := range a.schema.Stored() {
		switch i := a.in.index(c.ID); {
		case i >= 0 && a.in.offered[a.in.columns[i].from].Type.Name != schema.Null:
			add(c.Name, came.Column(a.in.columns[i].from))
		case c.ID == schema.RowID:
			add(c.Name, int64s(rows, a.firstRowID(), 1))
		default:
			add(c.Name, array.MakeArrayOfNull(memory.DefaultAllocator, arrow.PrimitiveTypes.Int32, rows))
		}
	}
	add(schema.CommitColumn, int64s(rows, a.commit.RowTag, 0))
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, int64(rows)), nil
}

// int64s is an array of n numbers from first, each step more than the one before.
func int64s(n int, first, step int64) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(n)
	for i := range int64(n) {
		b.UnsafeAppend(first + i*step)
	}
	return b.NewArray()
}

// checkFew makes sure that the records of a batch have keys of their own that are not live. What is plain to see is
// found here; else the same statements check as for many records. at returns the values of a column. A record that is
// refused is named as in a large upload.
func (k keyCheck) checkFew(ctx context.Context, at func(id int) arrow.Array) error {
	// No statement: a one-row append of a new greatest key is checked by its bounds alone, others by looking them up.
	if k.areDistinct(at) {
		k.in.keys = k.keysIn(at)
		live, err := k.liveRows(ctx)
		if err != nil || len(live.Data) == 0 {
			return err
		}
	}
	if err := k.table(ctx, at); err != nil {
		return err
	}
	if err := k.check(ctx); err != nil {
		return err
	}
	return k.areNew(ctx)
}

// areDistinct reports whether every record surely has a key of its own, and finds the bounds of the keys. at returns
// the values of a column that came.
func (k keyCheck) areDistinct(at func(id int) arrow.Array) bool {
	for _, c := range k.key {
		floats := c.Type.Name == schema.Double || c.Type.Name == schema.Float // 0 and -0 are one key
		if !k.in.has(c.ID) || at(c.ID).NullN() > 0 || c.Type.Nested() || floats {
			return false
		}
	}
	// By text, with its length before it: the values of several columns must not run into each other.
	seen := map[string]bool{}
	for row := range int(k.in.rows) {
		var text strings.Builder
		for _, c := range k.key {
			value := at(c.ID).ValueStr(row)
			fmt.Fprintf(&text, "%d %s", len(value), value)
		}
		seen[text.String()] = true
	}
	k.in.bounds = snapshot.OrderOf(k.key[0].Type).BoundsOf(at(k.key[0].ID))
	return len(seen) == int(k.in.rows)
}

// literalRows is up to how many records are written into the statement that needs them, instead of into a table.
const literalRows = 16

// readLiteral makes records part of the statements that read them. ok is false where they are too many, or have values
// that SQL has no plain literals for, or keys that have to be looked at.
func (a arriving) readLiteral(decoded intake.Decoded) (ok bool, err error) {
	came, err := decoded.Batch()
	if came == nil {
		return false, err
	}
	defer func() {
		if !ok {
			came.Release()
		}
	}()
	a.in.rows = came.NumRows()
	at := func(id int) arrow.Array { return came.Column(a.in.columns[a.in.index(id)].from) }
	keys := keyCheck{key: a.schema.KeyColumns(), in: a.in}
	if a.in.rows == 0 || a.in.rows > literalRows || !keys.areDistinct(at) {
		return false, nil
	}
	rows := make([][]string, a.in.rows)
	texts := a.in.keepsText(a.commit.Mode)
	for row := range rows {
		values := make([]string, 0, len(a.in.columns)+2)
		for _, c := range a.in.columns {
			value, ok := literal(at(c.ID), row, c.Type)
			if !ok {
				return false, nil
			}
			values = append(values, value)
		}
		values = append(values, duck.Int(int64(row)))
		if texts {
			values = append(values, duck.Text(came.Column(len(a.in.offered)).ValueStr(row)))
		}
		rows[row] = values
	}
	a.in.kept, a.in.texts = keptValues{rows, came}, texts
	a.in.keys = keys.keysIn(at)
	// What was seen here is not asked for again by a statement.
	a.in.checked, a.in.filled = true, map[int]bool{}
	for _, c := range a.in.columns {
		a.in.filled[c.ID] = at(c.ID).NullN() == 0
	}
	return true, nil
}

// literal writes a value in SQL. ok is false for a value that has to go through a table.
func literal(a arrow.Array, row int, t schema.Type) (text string, ok bool) {
	if a.IsNull(row) {
		return "CAST(NULL AS " + t.SQL() + ")", true
	}
	// Only types whose text DuckDB reads back as the same value. All others go through a table.
	switch v := a.(type) {
	case *array.Int8, *array.Int16, *array.Int32, *array.Int64, *array.Boolean,
		*array.Uint8, *array.Uint16, *array.Uint32, *array.Uint64:
		text = a.ValueStr(row)
	case *array.Float64:
		if math.IsInf(v.Value(row), 0) || math.IsNaN(v.Value(row)) {
			return "", false
		}
		text = strconv.FormatFloat(v.Value(row), 'g', -1, 64)
	case *array.Decimal128:
		text = v.Value(row).ToString(int32(t.Scale))
	case *array.Date32:
		text = v.Value(row).ToTime().Format(time.DateOnly)
	case *array.Timestamp:
		text = v.Value(row).ToTime(v.DataType().(*arrow.TimestampType).Unit).Format("2006-01-02 15:04:05.999999999")
		if t.Name == schema.TimestampTZ {
			text += "+00"
		}
	case *array.String:
		text = v.Value(row)
	default:
		return "", false
	}
	return "CAST(" + duck.Text(text) + " AS " + t.SQL() + ")", !strings.ContainsRune(text, 0)
}

// table makes the table incoming with the keys of records. at returns the values of a column.
func (k keyCheck) table(ctx context.Context, at func(id int) arrow.Array) error {
	var fields []arrow.Field
	var arrays []arrow.Array
	var columns []schema.Column
	for _, c := range k.key {
		if !k.in.has(c.ID) {
			continue
		}
		a := at(c.ID)
		fields = append(fields, arrow.Field{Name: schema.ColumnName(c.ID), Type: a.DataType(), Nullable: true})
		arrays = append(arrays, a)
		columns = append(columns, schema.Column{Name: schema.ColumnName(c.ID), Type: c.Type})
	}
	fields = append(fields, arrow.Field{Name: "_n", Type: arrow.PrimitiveTypes.Int64})
	arrays = append(arrays, int64s(int(k.in.rows), 0, 1))
	columns = append(columns, schema.Column{Name: "_n", Type: schema.Of(schema.Bigint)})
	batch := array.NewRecordBatch(arrow.NewSchema(fields, nil), arrays, k.in.rows)
	defer batch.Release()
	return tableOf(ctx, k.conn, incomingTable, batch, columns)
}
