package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/fault"
	"rowback/storage/intake"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// fitted is how the columns of an upload become those of a dataset.
type fitted struct {
	schema  schema.Schema // the dataset's, with columns added and widened
	columns []fittedColumn
	at      map[int]int     // where each is among the columns, by its id
	ignored []string        // columns that came and are derived
	widened []schema.Column // columns of the dataset whose new type must be shown to take the values that are stored
}

// fittedColumn makes one column of the dataset out of column o<from> of the upload.
type fittedColumn struct {
	schema.Column
	from int
	expr string
}

// present returns the column's expression over the upload; ok is false where the upload has no such column.
func (f fitted) present(id int) (expr string, ok bool) {
	i := f.index(id)
	if i < 0 {
		return "", false
	}
	return f.columns[i].expr, true
}

// index is where a column is among those that came; -1 where it is not.
func (f fitted) index(id int) int {
	if i, ok := f.at[id]; ok {
		return i
	}
	return -1
}

// fitting is one upload meeting one schema.
type fitting struct {
	ctx     context.Context
	conn    *duck.Conn
	upload  intake.Upload
	records intake.Records
	newID   func() int
	only    []int // take just these columns, where there are any
}

// fit decides the type of every column (design, section 3): the dataset's where it takes all values as they are, else
// the narrowest that takes both, else it refuses, naming column, stored type and offered type.
func (f *fitting) fit(s schema.Schema) (fitted, error) {
	out := fitted{schema: s, at: map[int]int{}}
	known, retired := s.Names()
	offered := f.records.Columns()
	targets := make([]schema.Type, len(offered))   // zero: to be decided by the values
	columns := make([]schema.Column, len(offered)) // ID 0: new; -1: not taken
	var open []int
	for i, o := range offered {
		column, take, err := f.place(s, known, retired, o)
		if err != nil {
			return out, err
		}
		if !take {
			columns[i].ID = -1
			if column.Derived() {
				out.ignored = append(out.ignored, column.Name)
			}
			continue
		}
		columns[i] = column
		o = f.impose(i, column.Type)
		if typ, ok := quick(o, column); ok {
			targets[i] = typ
		} else {
			open = append(open, i)
		}
	}
	if err := f.byValues(s, offered, columns, targets, open); err != nil {
		return out, err
	}
	kept := make([]schema.Column, 0, len(columns))
	for i, c := range columns {
		if c.ID < 0 {
			continue
		}
		if c.ID == 0 {
			c.ID = f.newID()
		}
		before := c.Type
		c.Type = targets[i].Settled()
		if c.ID == schema.RowID && c.Type.Name != schema.Bigint {
			return out, mismatch(s.KeyColumns()[0], offered[i].Type, "which it can't take")
		}
		if c.ID != schema.RowID {
			kept = append(kept, c)
		}
		if before.Name != "" && !c.Type.Holds(before) {
			out.widened = append(out.widened, schema.Column{ID: c.ID, Name: c.Name, Type: c.Type})
		}
		out.at[c.ID] = len(out.columns)
		out.columns = append(out.columns, fittedColumn{Column: c, from: i, expr: castUpload(offered[i], i, c.Type)})
	}
	out.schema = s.With(kept...)
	return out, nil
}

// impose asks for the values of a column as they are written, where the format has them so and the stored type needs
// it: decimals must not go through a floating-point number, nor what is kept as JSON through a type of its own.
func (f *fitting) impose(i int, stored schema.Type) intake.Offered {
	if r, ok := f.records.(interface {
		Impose(i int, stored schema.Type)
	}); ok {
		r.Impose(i, stored)
	}
	return f.records.Columns()[i]
}

// place finds the dataset's column for an offered one, among those that it has or had by name: with ID 0 and no type
// where it is new.
func (f *fitting) place(s schema.Schema, names, retired map[string]schema.Column, o intake.Offered) (c schema.Column, take bool, err error) {
	switch {
	case schema.SameName(o.Name, schema.CommitColumn):
		return c, false, nil // as exports have it; the server sets its own
	case schema.SameName(o.Name, schema.RowColumn) && !s.Keyed():
		c = s.KeyColumns()[0]
	default:
		known := false
		if c, known = names[schema.Fold(o.Name)]; !known {
			c = retired[schema.Fold(o.Name)]
		}
	}
	if len(f.only) > 0 && !slices.Contains(f.only, c.ID) || c.Derived() { // exports have derived ones, too
		return c, false, nil
	}
	if c.ID == 0 {
		c = schema.Column{Name: o.Name}
		if err := CheckColumnName(o.Name); err != nil {
			return c, false, err
		}
	}
	if err := checkType(o.Name, o.Type); err != nil {
		return c, false, err
	}
	return c, true, nil
}

// reservedNames are the server's own columns, and those that DuckDB adds when it reads Parquet.
var reservedNames = []string{
	schema.RowColumn, schema.CommitColumn, schema.FileColumn, schema.PosColumn, "_begin", "_end", "_change", "_json", "_n",
	"file_index", "file_row_number",
}

// CheckColumnName refuses names that the server uses itself or that no one could type.
func CheckColumnName(name string) error {
	for _, r := range reservedNames {
		if schema.SameName(name, r) {
			return fault.Errorf(fault.Invalid, "reserved_column",
				"Column %q has a name that the server uses itself. Rename it.", name)
		}
	}
	if strings.TrimSpace(name) == "" || len(name) > 255 || strings.ContainsFunc(name, isControl) {
		return fault.Errorf(fault.Invalid, "invalid_column",
			"A column name has 1 to 255 bytes, no control characters, and is not all spaces; %q is not one.",
			fault.Clip(name))
	}
	return nil
}

// quick decides a type without a look at the values, where that can be done.
func quick(o intake.Offered, c schema.Column) (schema.Type, bool) {
	offered, _ := schema.Stored(o.Type)
	known := c.Type.Name != ""
	switch {
	case c.Type.Name == schema.JSON && o.Text != intake.CSVText && o.Format == intake.JSON:
		return c.Type, true
	case o.Text == intake.CSVText && known && c.Type.Name == schema.Varchar:
		return c.Type, true
	case o.Text == intake.CSVText:
		return schema.Type{}, false
	case !known:
		return offered, true
	case c.Type.Holds(offered):
		return c.Type, true
	}
	return schema.Type{}, false
}

// byValues decides the types that depend on what the values are, in as few passes over them as it takes.
func (f *fitting) byValues(s schema.Schema, offered []intake.Offered, columns []schema.Column, targets []schema.Type, open []int) error {
	var known []test // columns whose own type may take the values
	for _, i := range open {
		if t := columns[i].Type; t.Name != "" && t.Name != schema.Null {
			known = append(known, test{column: i, condition: takes(offered[i], i, t)})
		}
	}
	fits, err := f.hold(known)
	if err != nil {
		return err
	}
	for k, t := range known {
		if fits[k] {
			targets[t.column] = columns[t.column].Type
		}
	}
	rest := slices.DeleteFunc(open, func(i int) bool { return targets[i].Name != "" })
	found, err := f.find(offered, rest)
	if err != nil {
		return err
	}
	var doubtful []int
	for k, i := range rest {
		c := columns[i]
		typ, ok := found[k], true
		if c.Type.Name != "" {
			typ, ok = schema.Widen(c.Type, found[k])
			ok = ok && !(typ.Equal(c.Type) && !typ.Holds(found[k])) // its own type was tried, and does not take them
		}
		if _, known := s.ByID(c.ID); !ok && !known {
			columns[i], typ, ok = schema.Column{Name: c.Name}, found[k], true // the retired one stays so
		}
		if !ok {
			return mismatch(c, found[k], "which it can't take")
		}
		if !typ.Holds(found[k]) {
			doubtful = append(doubtful, i)
		}
		targets[i] = typ
	}
	return f.checkOffered(offered, columns, targets, doubtful)
}

// checkOffered makes sure that offered values fit wider types that do not take all values of theirs.
func (f *fitting) checkOffered(offered []intake.Offered, columns []schema.Column, targets []schema.Type, doubtful []int) error {
	var tests []test
	for _, i := range doubtful {
		tests = append(tests, test{column: i, condition: takes(offered[i], i, targets[i])})
	}
	fits, err := f.hold(tests)
	if err != nil {
		return err
	}
	for k, i := range doubtful {
		if !fits[k] {
			return mismatch(columns[i], offered[i].Type, "which it can't take")
		}
	}
	return nil
}

// mismatched is why values are refused: a column's type does not take them.
type mismatched struct{ column schema.Column }

func (m *mismatched) Error() string {
	return "the type of column " + m.column.Name + " does not take the values"
}

// mismatchOf returns the column that an error is about, where it is that a column's type does not take the values.
func mismatchOf(err error) (c schema.Column, ok bool) {
	var m *mismatched
	if ok = errors.As(err, &m); ok {
		c = m.column
	}
	return c, ok
}

func mismatch(c schema.Column, offered schema.Type, why string) error {
	return fault.Errorf(fault.Invalid, "type_mismatch",
		"Column %q is %s and the records offer %s, %s. Send values that fit, or put them in a column of another name.",
		c.Name, c.Type, offered, why).Because(&mismatched{c}).
		With("column", c.Name).With("stored_type", c.Type.String()).With("offered_type", offered.String())
}

// test is a condition on the values of one offered column. An error, as a cast of parts may end in, says that it does
// not hold.
type test struct {
	column    int
	condition string
}

// hold reports for each test whether it holds for every value that is not null.
func (f *fitting) hold(tests []test) (holds []bool, err error) {
	for part := range parts(tests, func(t test) int { return t.column }) {
		found, err := f.holdPart(part)
		if err != nil {
			return nil, err
		}
		holds = append(holds, found...)
	}
	return holds, nil
}

// holdPart does so in one statement, or, where a test ends in an error, in statements with half of the tests each.
func (f *fitting) holdPart(tests []test) ([]bool, error) {
	holds, err := f.holdAll(tests)
	switch {
	case !duck.IsConversion(err):
		return holds, f.records.Explain(err)
	case len(tests) == 1:
		return []bool{false}, nil
	}
	half := len(tests) / 2
	first, err := f.holdPart(tests[:half])
	if err != nil {
		return nil, err
	}
	rest, err := f.holdPart(tests[half:])
	return append(first, rest...), err
}

func (f *fitting) holdAll(tests []test) (holds []bool, err error) {
	holds = make([]bool, len(tests))
	var want intake.Want
	for k, t := range tests {
		if holds[k] = t.condition == "true"; !holds[k] && !slices.Contains(want.Columns, t.column) {
			want.Columns = append(want.Columns, t.column)
		}
	}
	if len(want.Columns) == 0 {
		return holds, nil
	}
	slices.Sort(want.Columns)
	relation, release, err := f.records.Relation(f.ctx, f.conn, want)
	if err != nil {
		return nil, err
	}
	defer release()
	var rows int64 // counted so that the statement uses _n
	list := []string{"count(_n)"}
	dest := []any{&rows}
	for k, t := range tests {
		if t.condition == "true" {
			continue
		}
		list = append(list, fmt.Sprintf("coalesce(bool_and(o%d IS NULL OR coalesce(%s, false)), true)",
			t.column, t.condition))
		dest = append(dest, &holds[k])
	}
	return holds, f.conn.Row(f.ctx, "SELECT "+strings.Join(list, ", ")+" FROM ("+relation+")", dest...)
}

// takes is the condition that type t holds a value of the offered column exactly.
func takes(o intake.Offered, i int, t schema.Type) string {
	column := fmt.Sprintf("o%d", i)
	from, _ := schema.Stored(o.Type)
	switch {
	case o.Text == intake.CSVText:
		return textFits(column, t)
	case from.Name == schema.Varchar && (writtenAsText(t) && o.Text == intake.JSONText || t.Name == schema.UUID || t.Name == schema.JSON):
		return textFits(column, t)
	case from.Name == schema.JSON && t.Name == schema.Map:
		return castUpload(o, i, t) + " IS NOT NULL"
	case !convertible(from, t):
		return "false"
	case from.Nested():
		return castUpload(o, i, t) + " IS NOT NULL"
	}
	return fmt.Sprintf("TRY_CAST(TRY_CAST(%s AS %s) AS %s) IS NOT DISTINCT FROM %s",
		column, t.SQL(), o.Type.SQL(), column)
}

// writtenAsText reports whether JSON has no form of its own for a type's values, so that they come as strings.
func writtenAsText(t schema.Type) bool {
	switch t.Name {
	case schema.Decimal, schema.Blob, schema.UUID, schema.Date, schema.Time, schema.TimestampTZ:
		return true
	}
	return t.IsMoment()
}

// convertible reports whether values of one type may turn out to be values of the other: numbers among numbers, moments
// among moments. Parts of nested values must fit as they are, or be text of something that is written so.
func convertible(from, to schema.Type) bool {
	switch {
	case to.Holds(from):
		return true
	case from.Name == schema.List && to.Name == schema.List:
		return partFits(*from.Elem, *to.Elem)
	case from.Name == schema.Struct && to.Name == schema.Struct:
		return partFits(from, to)
	}
	return from.IsNumber() && to.IsNumber() || from.IsMoment() && to.IsMoment()
}

func partFits(from, to schema.Type) bool {
	switch {
	case to.Holds(from):
		return true
	case from.Name == schema.List && to.Name == schema.List:
		return partFits(*from.Elem, *to.Elem)
	case from.IsInteger() && to.IsInteger():
		return true // a cast of one that is too large fails
	case from.Name != schema.Struct || to.Name != schema.Struct:
		return from.Name == schema.Varchar && writtenAsText(to) || from.Name == schema.JSON && to.Name == schema.Map
	}
	return !slices.ContainsFunc(from.Fields, func(f schema.Field) bool {
		own, ok := to.Field(f.Name)
		return !ok || !partFits(f.Type, own.Type)
	})
}

// castUpload makes a value of type t out of an offered column.
func castUpload(o intake.Offered, i int, t schema.Type) string {
	column := fmt.Sprintf("o%d", i)
	switch {
	case o.Type.Name == schema.Null:
		return "CAST(NULL AS " + t.SQL() + ")"
	case o.Text == intake.CSVText && t.Nested():
		written := asText(t)
		return snapshot.Cast(written, t, "CAST(CAST("+column+" AS JSON) AS "+written.SQL()+")")
	}
	return snapshot.Cast(o.Type, t, column)
}

// asText is the type that values of t have in JSON, where that differs: binaries are text.
func asText(t schema.Type) schema.Type {
	switch t.Name {
	case schema.Blob:
		return schema.Of(schema.Varchar)
	case schema.List:
		return schema.ListOf(asText(*t.Elem))
	case schema.Struct:
		t.Fields = slices.Clone(t.Fields)
		for i := range t.Fields {
			t.Fields[i].Type = asText(t.Fields[i].Type)
		}
	}
	return t
}

// checkStored makes sure that the values which are stored, live or not, fit the new types of widened columns: an
// earlier version may be restored.
func (w *work) checkStored(ctx context.Context, widened []schema.Column) error {
	if len(widened) == 0 {
		return nil
	}
	history, err := w.store.history(ctx, w.head)
	if err != nil {
		return err
	}
	for _, c := range widened {
		old := storedType(w.head.Schema, c.ID)
		var fits bool
		query := fmt.Sprintf("SELECT coalesce(bool_and(v IS NULL OR coalesce(%s, false)), true) FROM (%s) t(v)",
			becomes(old.Type, c.Type), history.EveryValue(old))
		if err := w.conn.Row(ctx, query, &fits); err != nil {
			return err
		}
		if !fits {
			return mismatch(old, c.Type, "which can't hold all the values that are stored")
		}
	}
	return nil
}

// storedType returns a column that is, or was and is retired.
func storedType(s schema.Schema, id int) schema.Column {
	if c, ok := s.ByID(id); ok {
		return c
	}
	i := slices.IndexFunc(s.Retired, func(c schema.Column) bool { return c.ID == id })
	return s.Retired[i]
}

// history returns a snapshot of every file that ever served the dataset: not a state, but all that was stored.
func (s *Store) history(ctx context.Context, head *snapshot.Snapshot) (*snapshot.Snapshot, error) {
	out := *head
	out.Data, out.Rollbacks = nil, nil
	err := s.catalog.Read(ctx, func(tx catalog.Tx) error {
		files, err := tx.AllFiles(head.Dataset.ID)
		if err != nil {
			return err
		}
		return out.Adopt(tx, files)
	})
	return &out, err
}

// becomes is the condition that v, of type from, is a whole value of another type: a text as uploads have it, another
// value if it comes back the same.
func becomes(from, to schema.Type) string {
	if from.Name == schema.Varchar && !to.Nested() {
		return textFits("v", to)
	}
	return "TRY(" + snapshot.Cast(to, from, snapshot.Cast(from, to, "v")) + ") IS NOT DISTINCT FROM v"
}
