package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// A dataset's required columns have a value in every record. A commit that would leave a record without one is refused,
// whatever brings the record: an upload, a rollback, a restore or a merge.

// Refusals for required columns: of a record without a value in one, and of records without the column.
var (
	ErrRequired       = fault.New(fault.Invalid, "required_value")
	errRequiredColumn = fault.New(fault.Invalid, "required_column")
)

// checkRequiredNames refuses required columns that can't be columns, or come twice.
func checkRequiredNames(names []string) error {
	for i, name := range names {
		if err := CheckColumnName(name); err != nil {
			return err
		}
		same := func(other string) bool { return schema.SameName(name, other) }
		if slices.ContainsFunc(names[:i], same) {
			return fault.Errorf(fault.Invalid, "invalid_required", "Column %q is required twice.", name).
				With("field", "required")
		}
	}
	return nil
}

// isRequired reports whether a column is among the required ones.
func isRequired(p catalog.Properties, name string) bool {
	return slices.ContainsFunc(p.Required, func(r string) bool { return schema.SameName(r, name) })
}

// checkRequired makes sure that every record that the commit brings, or that a column is required of now, has a value
// in the required columns. The commit is complete.
func (w *work) checkRequired(ctx context.Context) error {
	if len(w.properties.Required) == 0 {
		return nil
	}
	// Of a merge, before all that it played.
	before, after := w.drafts()[0].head, w.leaves()
	if after.Total() == 0 {
		return nil
	}
	columns, known, err := w.requiredColumns(before)
	if err != nil {
		return err
	}
	if err := w.connect(ctx); err != nil {
		return err
	}
	from := "SELECT *, 0 AS _n FROM (" + after.Narrow(columns).Rows(false) + ")"
	switch {
	// Nothing was appended.
	case w.commit.Mode == catalog.Append && len(w.opened) == 0:
		return nil
	case w.commit.Mode == catalog.Append && (known || before.Total() == 0):
		from = w.numberedRows(w.store.pathOf(w.opened[0]), columns)
	case known:
		from = "SELECT *, 0 AS _n FROM (" + snapshot.Diff(before, after).Narrow(columns).SideB() + ")"
	}
	for _, c := range columns {
		if err := w.checkValueIn(ctx, c, from); err != nil {
			return err
		}
	}
	return nil
}

// numberedRows is the SQL of the key and some columns of the records that an append wrote, with their numbers from 1.
// It wrote one file, which lies at path.
func (d *draft) numberedRows(path string, columns []schema.Column) string {
	list := []string{"file_row_number + 1 AS _n"}
	for _, c := range d.schema.WithKey(columns) {
		list = append(list, duck.Ident(c.Name)+" AS "+schema.ColumnName(c.ID))
	}
	return fmt.Sprintf("SELECT %s FROM read_parquet(%s, hive_partitioning = false, file_row_number = true)",
		strings.Join(list, ", "), duck.Text(path))
}

// requiredColumns are the required columns of the state that the commit leaves. known: the state before had and
// required all of them, so that the records that stay have values in them.
func (d *draft) requiredColumns(before *snapshot.Snapshot) (columns []schema.Column, known bool, err error) {
	known = true
	for _, name := range d.properties.Required {
		c, ok := d.schema.ByName(name)
		if !ok {
			return nil, false, errRequiredColumn.Sayf("Column %q is required, and the records do not have it, "+
				"from record 1 on. Send it, or take it from the dataset's required columns.", name).
				With("column", name).With("record", 1)
		}
		if c.Derived() {
			return nil, false, errRequiredColumn.Sayf("Column %q is derived, so it can't be required. "+
				"Require what it is derived from.", c.Name).With("column", c.Name)
		}
		_, had := before.Schema.ByID(c.ID)
		known = known && had && isRequired(before.Properties, c.Name)
		columns = append(columns, c)
	}
	return columns, known, nil
}

// lacking is a record without a value in a required column: by its number in the upload, from 1, and by its key. The
// number is 0, or the key nil, where it is not known.
type lacking struct {
	number int64
	key    Key
}

// checkValueIn refuses the first record of a relation that has no value in a column, or all of them where they are
// collected.
func (w *work) checkValueIn(ctx context.Context, c schema.Column, from string) error {
	most := 1
	if w.request.collects {
		most = mostRejected
	}
	key := w.schema.KeyColumns()
	texts := make([]string, len(key))
	for i, k := range key {
		texts[i] = "CAST(" + schema.ColumnName(k.ID) + " AS VARCHAR)"
	}
	query := duck.Fill("SELECT _n, {texts} FROM ({rows}) WHERE {column} IS NULL ORDER BY _n, {key} LIMIT {most}", duck.Parts{
		"texts": strings.Join(texts, ", "), "rows": from, "column": schema.ColumnName(c.ID), "key": keyList(key), "most": most,
	})
	var all []lacking
	err := w.conn.Rows(ctx, query, func(scan duck.Scan) error {
		var one lacking
		values, into := make([]string, len(key)), []any{&one.number}
		for i := range values {
			into = append(into, &values[i])
		}
		if err := scan(into...); err != nil {
			return err
		}
		if one.number == 0 || w.schema.Keyed() { // otherwise it was given now, and is not known to anyone
			one.key = Key{}
			for i, k := range key {
				one.key[k.Name] = values[i]
			}
		}
		all = append(all, one)
		return nil
	})
	if err != nil || len(all) == 0 {
		return err
	}
	refusal := lacksValue(c.Name, all[0].number, all[0].key)
	if w.request.collects {
		refusal = refusal.With("lacking", all)
	}
	return refusal
}

// lacksValue refuses a record that has no value in a required column: by its number in the upload and by its key, where
// they are known. Either is enough to find the record; of a record that was there before, only the key is known.
func lacksValue(column string, number int64, record Key) *fault.Error {
	var names []string
	if number > 0 {
		names = append(names, fmt.Sprintf("record %d", number))
	}
	var key []string
	for _, name := range slices.Sorted(maps.Keys(record)) {
		key = append(key, name+" "+fault.Clip(record[name]))
	}
	if len(key) > 0 {
		names = append(names, "the record of "+strings.Join(key, ", "))
	}
	e := ErrRequired.Sayf("Column %q is required, and %s has no value in it. Give it one, or take the column from the "+
		"dataset's required columns.", column, strings.Join(names, ", ")).With("column", column)
	if number > 0 {
		e = e.With("record", number)
	}
	if record != nil {
		e = e.With("key", record)
	}
	return e
}

// isLacking reports whether a commit was refused for a required column.
func isLacking(err error) bool {
	return errors.Is(err, ErrRequired) || errors.Is(err, errRequiredColumn)
}
