package storage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// A statement that selects or sorts records carries all of their columns, and DuckDB allocates blocks of 2,048 values
// for each, several times over: of 8,000 columns it takes gigabytes, however few records there are. So wide records are
// read in two steps. One statement finds the keys of those that are wanted, in their order, and names no other columns
// but those that select and sort. The records are then read in slices of the columns, each in that order.

// Wanted says which records of a snapshot are read.
type Wanted struct {
	Snapshot *snapshot.Snapshot
	Columns  []schema.Column // some of Snapshot.TableColumns
	Where    string          // a condition, which a client wrote; empty: none
	Only     string          // a condition of the server's own, where Where is empty; empty: none
	Order    string          // an ORDER BY of the columns' names; empty: as they lie in the files
	By       []schema.Column // the columns that Order and Only name
	Limit    *int64          // the most records; nil: all
	Offset   int64

	slice int // the most columns of a slice; 0: snapshot.SliceColumns
}

// sliceColumns is the most columns that a statement reads of wide records.
func (r Wanted) sliceColumns() int { return cmp.Or(r.slice, snapshot.SliceColumns) }

// IsSandboxed reports whether reading runs SQL that a client wrote: the condition, or the derivation of a column.
func (r Wanted) IsSandboxed() bool {
	return r.Where != "" || slices.ContainsFunc(slices.Concat(r.Columns, r.By), schema.Column.Derived)
}

// mostSliced is the most values that are read in slices of the columns: they are held in memory.
const mostSliced = 4_000_000

// most is how many records are read in slices of the columns.
func (r Wanted) most() int64 { return mostSliced / int64(max(len(r.Columns), 1)) }

// isWide reports whether the records may be read in slices. Of those that a condition selects it is not known how many
// there are.
func (r Wanted) isWide() bool {
	derived := len(r.derived())
	if len(snapshot.SlicesOf(r.Columns, r.sliceColumns())) == 1 || derived > r.sliceColumns() {
		return false
	}
	total := r.Snapshot.Total()
	records := max(total-r.Offset, 0)
	if r.Limit != nil {
		records = min(records, *r.Limit)
	}
	return total > 0 && (r.Where != "" || r.Only != "" || records <= r.most())
}

// derived returns those of the columns that are derived.
func (r Wanted) derived() (columns []schema.Column) {
	for _, c := range r.Columns {
		if c.Derived() {
			columns = append(columns, c)
		}
	}
	return columns
}

// OpenRecords opens a connection on which the returned query reads records. It is a sandbox where a client's SQL runs
// in the query, which may write files then. Errors of a condition are DuckDB's.
func (t *Tables) OpenRecords(ctx context.Context, r Wanted, files []string) (*duck.Conn, output.Query, error) {
	if r.isWide() || r.isReadHere() {
		found, err := t.findRecords(ctx, r)
		if err != nil {
			return nil, output.Query{}, err
		}
		if found != nil {
			defer found.Release()
			if conn, q, ok, err := t.openHere(ctx, r, found); ok || err != nil {
				return conn, q, err
			}
		}
		if found != nil && r.isWide() {
			conn, err := t.openFound(ctx, r, found)
			return conn, output.Query{Columns: r.Columns, Slices: r.slices()}, err
		}
	}
	conn, from, err := t.openWanted(ctx, r, files)
	return conn, output.Query{Columns: r.Columns, SQL: r.selecting(r.Columns, from)}, err
}

// openWanted opens a connection on which the snapshot's records can be read from from, by name.
func (t *Tables) openWanted(ctx context.Context, r Wanted, files []string) (*duck.Conn, string, error) {
	if !r.IsSandboxed() {
		conn, err := t.Conn(ctx)
		return conn, "(" + r.Snapshot.StoredTable() + ")", err
	}
	box, err := t.Filter(ctx, r.Snapshot, false, files)
	if err != nil || r.Where == "" {
		return box, "records", err
	}
	if err := clientsql.CheckCondition(ctx, box, r.Where); err != nil {
		box.Close()
		return nil, "", err
	}
	return box, "records", nil
}

// openNamed is openWanted for a view of those columns only that find the records. A view of thousands of columns takes
// longer than all the rest.
func (t *Tables) openNamed(ctx context.Context, r Wanted) (*duck.Conn, string, error) {
	if r.Where == "" {
		r.Snapshot = r.Snapshot.Narrow(r.Snapshot.Schema.WithInputs(slices.Concat(r.By, r.derived())))
		return t.openWanted(ctx, r, nil)
	}
	box, err := t.Sandboxes.Open(ctx, false)
	if err != nil {
		return nil, "", err
	}
	condition, err := clientsql.ReadCondition(ctx, box, r.Where)
	if err == nil {
		err = box.Lock(ctx, t.scopeOf(r.narrowed(condition), false, nil))
	}
	if err != nil {
		box.Close()
		return nil, "", err
	}
	return box, "records", nil
}

// narrowed returns the snapshot with the columns that find the records. It has all where the condition may mean any
// column, and where it has a name that is none: which columns there are is part of the error.
func (r Wanted) narrowed(condition clientsql.Condition) *snapshot.Snapshot {
	columns := make(map[string]schema.Column)
	for _, c := range r.Snapshot.TableColumns() {
		columns[schema.Fold(c.Name)] = c
	}
	named := slices.Concat(r.By, r.derived())
	for _, name := range condition.Names {
		found := false
		for _, part := range name[:min(len(name), 2)] { // of the view and the column, or of the column and a field
			if c, ok := columns[schema.Fold(part)]; ok {
				named, found = append(named, c), true
			}
		}
		condition.All = condition.All || !found
	}
	if condition.All {
		return r.Snapshot
	}
	return r.Snapshot.Narrow(r.Snapshot.Schema.WithInputs(named))
}

// selecting returns the statement that reads some columns of the records from a relation that has them by name.
func (r Wanted) selecting(columns []schema.Column, from string) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = duck.Ident(c.Name)
	}
	sql := "SELECT " + strings.Join(names, ", ") + " FROM " + from
	switch {
	case r.Where != "": // the newline ends a comment at the condition's end, which would hide the parenthesis
		sql += " WHERE (" + r.Where + "\n)"
	case r.Only != "":
		sql += " WHERE " + r.Only
	}
	sql += r.Order
	if r.Limit != nil {
		sql += " LIMIT " + duck.Int(*r.Limit)
	}
	if r.Offset > 0 {
		sql += " OFFSET " + duck.Int(r.Offset)
	}
	return sql
}

// foundColumns are the columns of the table found but for _n, the record's number in their order.
func (r Wanted) foundColumns() []schema.Column {
	return slices.Concat(r.Snapshot.Schema.KeyColumns(), r.derived())
}

// findRecords returns the keys of the records and their derived columns, in the order of the records; nil if there are
// more than are read in slices.
func (t *Tables) findRecords(ctx context.Context, r Wanted) (arrow.RecordBatch, error) {
	conn, from, err := t.openNamed(ctx, r)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// Without other names: the order and the condition would mean these, not the columns of the records.
	sql := fmt.Sprintf("SELECT * FROM (%s) LIMIT %d", r.selecting(r.foundColumns(), from), r.most()+1)
	found, err := conn.Batch(ctx, sql)
	if err == nil && found.NumRows() > r.most() {
		found.Release()
		return nil, nil
	}
	return found, err
}

// openFound opens a connection with the table found.
func (t *Tables) openFound(ctx context.Context, r Wanted, found arrow.RecordBatch) (*duck.Conn, error) {
	var fields []arrow.Field
	columns := r.foundColumns()
	for i := range columns {
		columns[i].Name = schema.ColumnName(columns[i].ID)
		fields = append(fields, arrow.Field{Name: columns[i].Name, Type: found.Column(i).DataType(), Nullable: true})
	}
	columns = append(columns, schema.Column{Name: "_n", Type: schema.Of(schema.Bigint)})
	fields = append(fields, arrow.Field{Name: "_n", Type: arrow.PrimitiveTypes.Int64})
	numbers := int64s(int(found.NumRows()), 0, 1)
	defer numbers.Release()
	batch := array.NewRecordBatch(arrow.NewSchema(fields, nil), append(slices.Clone(found.Columns()), numbers),
		found.NumRows())
	defer batch.Release()
	conn, err := t.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if err := tableOf(ctx, conn, "found", batch, columns); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// slices returns the queries that read the records of the table found, each with some of the columns.
func (r Wanted) slices() (out []output.Query) {
	for _, some := range snapshot.SlicesOf(r.Columns, r.sliceColumns()) {
		list := make([]string, len(some))
		for i, c := range some {
			of, name := "r.", schema.ColumnName(c.ID)
			switch {
			case c.Derived():
				of = "f."
			case c.ID == schema.CommitID:
				name = schema.CommitColumn
			}
			list[i] = of + name + " AS " + duck.Ident(c.Name)
		}
		out = append(out, output.Query{Columns: some, SQL: duck.Fill(readFound, duck.Parts{
			"columns": strings.Join(list, ", "), "rows": r.Snapshot.Narrow(some).Rows(false),
			"same_key": sameKey(r.Snapshot.Schema.KeyColumns(), "r", "f"),
		})})
	}
	return out
}

const readFound = `SELECT {columns} FROM ({rows}) r JOIN found f ON {same_key} ORDER BY f._n`
