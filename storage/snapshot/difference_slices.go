package snapshot

import (
	"context"
	"fmt"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// Listing is a difference record by record. Its statement reads temporary tables, which Prepare makes: one for each
// slice of the columns, with the same records in the same order. So no statement joins, sorts or reads from a file more
// columns than a slice has.
type Listing struct {
	SQL     string
	Columns []schema.Column

	tables []string // the statements that make them; none if one statement reads everything
}

// Prepare makes the tables that the statement reads. They live as long as the connection.
func (l Listing) Prepare(ctx context.Context, conn *duck.Conn) error {
	for _, table := range l.tables {
		if _, err := conn.Create(ctx, table); err != nil {
			return err
		}
	}
	return nil
}

// List returns what Records returns, or a selection of it. Records with more columns than a slice are listed in slices.
func (d *Difference) List(s Selection) (Listing, error) {
	watched, err := d.watching(s.Columns)
	if err != nil {
		return Listing{}, err
	}
	return watched.listing(SliceColumns, s)
}

// listing is List with slices of at most a number of columns.
func (d *Difference) listing(most int, s Selection) (Listing, error) {
	if d.isPagedByKey(s, most) {
		return d.pageByKey(most, s)
	}
	l, err := d.list(most, s.Changes)
	if s.isPage() && err == nil {
		l.SQL = d.page(l, s)
	}
	return l, err
}

// slicedValues is the most values of the files that a difference may open to be read in slices through tables. These
// hold all of its records, also those that turn out to be equal; and of so many values, the planning is no longer what
// takes the time.
const slicedValues = 20_000_000

// IsFew reports whether the difference has so few values that tables may hold its records.
func (d *Difference) IsFew() bool { return d.Opened()*int64(len(d.Schema.Stored())) <= slicedValues }

// list is listing for whole differences.
func (d *Difference) list(most int, changes []string) (l Listing, err error) {
	if len(SlicesOf(d.Schema.Stored(), most)) == 1 || !d.IsFew() {
		l.SQL, l.Columns, err = d.Records(changes...)
		return l, err
	}
	return d.inSlices(most, changes, "")
}

// inSlices lists the records in slices. only is SQL after the joined rows, which selects some of them.
func (d *Difference) inSlices(most int, changes []string, only string) (l Listing, err error) {
	if changes, err = kinds(changes); err != nil {
		return l, err
	}
	parts := SlicesOf(d.Schema.Stored(), most)
	var before, after []string
	for i, columns := range parts {
		values := d.keyValues(i)
		if packed := packed("a", columns, d.A.Schema); packed != "" {
			values, before = append(values, packed+" AS before"), append(before, tableOf(i)+".before")
		}
		if packed := packed("b", columns, d.B.Schema); packed != "" {
			values, after = append(values, packed+" AS after"), append(after, tableOf(i)+".after")
		}
		l.tables = append(l.tables, d.Narrow(columns).table(i, values, only))
	}
	l.Columns = d.recordColumns()
	l.SQL = d.fromTables(len(parts), changes,
		record("in_a", "before", concatenated(before)), record("in_b", "after", concatenated(after)))
	return l, nil
}

// Keys returns the kinds of changes and the keys of the difference, the first of List's columns.
func (d *Difference) Keys() Listing { return d.keys(SliceColumns, []string{Added, Removed, Modified}) }

// keys is Keys for some kinds of changes, with slices of at most a number of columns.
func (d *Difference) keys(most int, changes []string) Listing {
	columns, parts := d.recordColumns(), SlicesOf(d.Schema.Stored(), most)
	l := Listing{Columns: columns[:len(columns)-2]}
	for i, columns := range parts {
		l.tables = append(l.tables, d.Narrow(columns).table(i, d.keyValues(i), ""))
	}
	l.SQL = d.fromTables(len(parts), changes)
	return l
}

// keyValues returns what the table of a slice has beside its own columns: the first one has the key, and which sides
// have it.
func (d *Difference) keyValues(slice int) []string {
	if slice > 0 {
		return nil
	}
	values := []string{"in_a", "in_b"}
	for _, k := range d.Schema.KeyColumns() {
		values = append(values, eitherSide(k)+" AS "+schema.ColumnName(k.ID))
	}
	return values
}

// table returns the statement that makes the table of a slice, to which d is narrowed. Keys are unique, so that the
// order is the same in all tables. only is SQL that selects some of the joined rows.
func (d *Difference) table(slice int, values []string, only string) string {
	return duck.Fill(makeSlice, duck.Parts{
		"table": tableOf(slice), "values": strings.Join(append(values, d.Differs()+" AS differs"), ", "),
		"joined": d.Joined(), "only": only, "key": d.joinedKey(),
	})
}

// fromTables returns the statement that reads the tables of all slices beside each other. A join on the key instead
// would carry all columns through it, in time quadratic in their number.
func (d *Difference) fromTables(n int, changes []string, records ...string) string {
	list := []string{kindOfChange + " AS _change"}
	for _, k := range d.Schema.KeyColumns() {
		list = append(list, schema.ColumnName(k.ID)+" AS "+duck.Ident(keyName(k.Name)))
	}
	tables, differs := make([]string, n), make([]string, n)
	for i := range n {
		tables[i], differs[i] = tableOf(i), tableOf(i)+".differs"
	}
	return duck.Fill(recordByRecord, duck.Parts{
		"columns": strings.Join(append(list, records...), ", "), "from": strings.Join(tables, " POSITIONAL JOIN "),
		"changes": condition(changes, "("+strings.Join(differs, " OR ")+")"),
	})
}

const makeSlice = `CREATE OR REPLACE TEMP TABLE {table} AS SELECT {values} FROM ({joined}){only} ORDER BY {key}`

func tableOf(slice int) string { return fmt.Sprintf("difference_%d", slice) }

// concatenated returns the SQL of a struct with the fields of others, or "" if there are none.
func concatenated(structs []string) string {
	if len(structs) == 0 {
		return ""
	}
	return "struct_concat(" + strings.Join(structs, ", ") + ")"
}
