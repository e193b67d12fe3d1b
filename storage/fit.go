package storage

import (
	"context"
	"slices"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// fitted is how the columns of an upload become those of a dataset.
type fitted struct {
	schema  schema.Schema // the dataset's, with columns added and widened
	columns []fittedColumn
	at      map[int]int     // where each is among the columns, by its id
	ignored []string        // columns that came and are derived
	lost    []string        // warnings of what was said of columns and is not kept
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
	newID   func(context.Context) (int, error)
	only    []int        // take just these columns, where there are any
	key     map[int]bool // which offered columns belong to the key

	replaces bool // no records stay beside those of the upload
}

// fit decides the type of every column (design, section 3): the dataset's where it takes all values as they are, else
// the narrowest that takes both, else it refuses, naming column, stored type and offered type.
func (f *fitting) fit(s schema.Schema) (fitted, error) {
	out := fitted{schema: s, at: map[int]int{}}
	offered := f.records.Columns()
	targets := make([]schema.Type, len(offered))   // zero: to be decided by the values
	columns := make([]schema.Column, len(offered)) // ID 0: new; -1: not taken
	open, err := f.placeAll(&out, offered, columns, targets)
	if err != nil {
		return out, err
	}
	// All columns that depend on values together, as each pass reads the upload.
	if err := f.byValues(s, offered, columns, targets, open); err != nil {
		return out, err
	}
	kept := make([]schema.Column, 0, len(columns))
	for i, c := range columns {
		if c.ID < 0 {
			continue
		}
		c, err := f.settle(&out, i, offered[i], c, targets[i].Settled())
		if err != nil {
			return out, err
		}
		if c.ID != schema.RowID {
			kept = append(kept, c)
		}
	}
	out.schema = s.With(kept...)
	return out, checkWidth(s, out.schema)
}

// placeAll finds the dataset's column for each that is offered, and decides the types that need no look at the values.
// It returns the others.
func (f *fitting) placeAll(
	out *fitted, offered []intake.Offered, columns []schema.Column, targets []schema.Type,
) (open []int, err error) {
	s := out.schema
	// A retired column comes back under its name, with its id and what it held, if it takes the new values.
	known, retired := s.Names()
	f.key = map[int]bool{}
	for i, o := range offered {
		column, take, err := f.place(s, known, retired, o)
		if err != nil {
			return nil, err
		}
		// A derived column that came back with an export is left out, and the commit says so.
		if !take {
			columns[i].ID = -1
			if column.Derived() {
				out.ignored = append(out.ignored, column.Name)
			}
			continue
		}
		columns[i] = column
		f.key[i] = s.IsKey(column.ID)
		// Before anything is decided: it changes what the column offers.
		o = f.impose(i, column.Type)
		if typ, ok := quick(o, column); ok {
			targets[i] = typ
		} else {
			open = append(open, i)
		}
	}
	return open, nil
}

// settle makes column i of the upload one of the dataset's, of a type that was decided.
func (f *fitting) settle(
	out *fitted, i int, offered intake.Offered, c schema.Column, typ schema.Type,
) (schema.Column, error) {
	// Only once every type is decided: a refusal before that uses up no field ids.
	if c.ID == 0 {
		id, err := f.newID(f.ctx)
		if err != nil {
			return c, err
		}
		c.ID = id
	}
	before := c.Type
	c.Type = typ
	if c.ID == schema.RowID && typ.Name != schema.Bigint {
		return c, mismatch(out.schema.KeyColumns()[0], offered.Type, "which it can't take")
	}
	c, warning, err := f.extended(c, before, offered)
	if err != nil {
		return c, err
	}
	if warning != "" {
		out.lost = append(out.lost, warning)
	}
	// Widened by a type that does not hold all values of the old one: what is stored must be looked at.
	if before.Name != "" && !c.Type.Holds(before) {
		out.widened = append(out.widened, schema.Column{ID: c.ID, Name: c.Name, Type: c.Type})
	}
	out.at[c.ID] = len(out.columns)
	out.columns = append(out.columns, fittedColumn{Column: c, from: i, expr: castUpload(offered, i, c.Type)})
	return c, nil
}

// checkWidth refuses a schema with more columns than a dataset may have, unless it has no more than the one before it.
func checkWidth(before, after schema.Schema) error {
	n := len(after.Columns)
	if n <= intake.MaxColumns || n <= len(before.Columns) {
		return nil
	}
	return fault.Errorf(fault.Invalid, "too_many_columns",
		"The dataset would have %d columns, and may have %d. Divide them among several datasets, or send a record for "+
			"each value.", n, intake.MaxColumns)
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
func (f *fitting) place(
	s schema.Schema, names, retired map[string]schema.Column, o intake.Offered,
) (c schema.Column, take bool, err error) {
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
func (f *fitting) byValues(
	s schema.Schema, offered []intake.Offered, columns []schema.Column, targets []schema.Type, open []int,
) error {
	var known []test // columns whose own type may take the values
	for _, i := range open {
		if t := columns[i].Type; t.Name != "" && t.Name != schema.Null {
			known = append(known, takesAll(offered[i], i, t))
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
	// What the stored type does not take decides a type of its own, which is then widened together with that.
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
func (f *fitting) checkOffered(
	offered []intake.Offered, columns []schema.Column, targets []schema.Type, doubtful []int,
) error {
	var tests []test
	for _, i := range doubtful {
		tests = append(tests, takesAll(offered[i], i, targets[i]))
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

// has reports whether a column came with the records.
func (in *incoming) has(id int) bool { return in.index(id) >= 0 }
