package schema

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// Reserved Parquet field ids of the columns that the server writes itself. They are those that the Iceberg
// specification reserves for columns of the same meaning, and no user's column can have them.
const (
	FileID   = 2147483646 // _file: in a rollback file or a compacted one, the file that held the row
	PosID    = 2147483645 // _pos: the row's number in that file, from 0
	EndID    = 2147483538 // _end: in a compacted file of rollback files, the one that displaced the row
	RowID    = 2147483540 // _id: the key of a dataset without a declared one
	CommitID = 2147483539 // _commit: the commit that wrote the row
)

// Names of the columns that the server writes itself.
const (
	FileColumn   = "_file"
	PosColumn    = "_pos"
	EndColumn    = "_end"
	RowColumn    = "_id"
	CommitColumn = "_commit"
)

// Kind is what the rows of a file mean.
type Kind string

// The kinds of files.
const (
	Data     Kind = "data"     // rows that a commit added
	Rollback Kind = "rollback" // rows that a commit displaced, as they were

	Compacted         Kind = "compacted"          // rows of several data files, each with its place
	CompactedRollback Kind = "compacted-rollback" // rows of several rollback files, each with the file that it is from
)

// Of returns the kind of the files whose rows a compacted file of this kind holds.
func (k Kind) Of() Kind {
	if k == CompactedRollback {
		return Rollback
	}
	return Data
}

// Column is one column of a dataset. ID is its Parquet field id, which is assigned once in a fork family and never
// reused.
type Column struct {
	ID          int        `json:"id"`
	Name        string     `json:"name"`            // in files and in SQL; what the Shoji face calls the alias
	Title       string     `json:"title,omitempty"` // to show in place of the name; empty: the name
	Type        Type       `json:"type"`
	Description string     `json:"description,omitempty"`
	Derivation  string     `json:"derivation,omitempty"` // SQL over other columns as "c<id>"; not stored
	Expression  string     `json:"expression,omitempty"` // the derivation in Crunch's form; empty: only SQL
	Categories  []Category `json:"categories,omitempty"` // of a categorical variable: its declared values
	Earlier     []Type     `json:"earlier,omitempty"`    // types from which users changed it, oldest first
	Extension   *Extension `json:"extension,omitempty"`  // what its values mean beyond their type; nil: nothing is said
}

// Label is what people see in place of the column's name.
func (c Column) Label() string { return cmp.Or(c.Title, c.Name) }

// Derived reports whether the column is computed when it is read.
func (c Column) Derived() bool { return c.Derivation != "" }

// As returns the column with another type, to which its values will be cast from the current one. Values in older files
// are cast through all types in between, so that each change of type starts from the values that users saw.
func (c Column) As(t Type) Column {
	if c.Type.Name != Null && !c.Type.Equal(t) {
		c.Earlier = append(slices.Clip(c.Earlier), c.Type)
		c.Extension = nil
	}
	c.Type = t
	return c
}

// Since returns the types through which a value is cast that was stored when the column was as own.
func (c Column) Since(own Column) []Type {
	return append(slices.Clone(c.Earlier[min(len(own.Earlier), len(c.Earlier)):]), c.Type)
}

// Category is one declared value of a categorical variable. The column stores its Name.
type Category struct {
	ID           int64    `json:"id"`
	Name         string   `json:"name"`
	NumericValue *float64 `json:"numeric_value"`
	Missing      bool     `json:"missing"`
	Selected     bool     `json:"selected,omitempty"`
}

// Schema is the columns of a dataset at one commit.
type Schema struct {
	Columns []Column `json:"columns"`
	Key     []int    `json:"key,omitempty"` // field ids of the declared key; empty: the key is _id
	// Columns that a rollback or a restore removed. Uploading one of that name brings it back under the same id, since
	// rows with values for it may be brought back too.
	Retired []Column `json:"retired,omitempty"`
	Dropped []int    `json:"dropped,omitempty"` // field ids of columns that users dropped, for good
}

// rowColumn is the key of a dataset without a declared one.
var rowColumn = Column{ID: RowID, Name: RowColumn, Type: Of(Bigint)}

// Keyed reports whether key columns were declared.
func (s Schema) Keyed() bool { return len(s.Key) > 0 }

// WithKey returns the columns, followed by those key columns that are not among them.
func (s Schema) WithKey(columns []Column) []Column {
	for _, k := range s.KeyColumns() {
		if !slices.ContainsFunc(columns, func(c Column) bool { return c.ID == k.ID }) {
			columns = append(slices.Clip(columns), k)
		}
	}
	return columns
}

// KeyColumns returns the key: the declared columns, or _id.
func (s Schema) KeyColumns() []Column {
	if !s.Keyed() {
		return []Column{rowColumn}
	}
	key := make([]Column, len(s.Key))
	for i, id := range s.Key {
		key[i], _ = s.ByID(id)
	}
	return key
}

// Stored returns the columns of a data file besides _commit: the user's that are not derived, and _id if it is the key.
func (s Schema) Stored() []Column {
	stored := slices.DeleteFunc(slices.Clone(s.Columns), Column.Derived)
	if s.Keyed() {
		return stored
	}
	return append(stored, rowColumn)
}

// ByID returns the column with that field id, which may be _id if that is the key.
func (s Schema) ByID(id int) (Column, bool) {
	if id == RowID && !s.Keyed() {
		return rowColumn, true
	}
	i := s.at(id)
	if i < 0 {
		return Column{}, false
	}
	return s.Columns[i], true
}

// at returns the index of the column with that field id; -1 if there is none. Columns are mostly in the order of their
// ids, so a binary search finds nearly all, which matters when every column of a wide schema is looked up.
func (s Schema) at(id int) int {
	i := sort.Search(len(s.Columns), func(i int) bool { return s.Columns[i].ID >= id })
	if i < len(s.Columns) && s.Columns[i].ID == id {
		return i
	}
	for i := range s.Columns {
		if s.Columns[i].ID == id {
			return i
		}
	}
	return -1
}

// SameName reports whether two names are the same in SQL, which ignores the case of the letters a to z only.
func SameName(a, b string) bool { return Fold(a) == Fold(b) }

// Fold returns a name in a form in which names that are the same in SQL are equal.
func Fold(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// ByName returns the column of that name, as SQL would find it.
func (s Schema) ByName(name string) (Column, bool) {
	folded := Fold(name)
	for i := range s.Columns {
		if len(s.Columns[i].Name) == len(name) && Fold(s.Columns[i].Name) == folded {
			return s.Columns[i], true
		}
	}
	return Column{}, false
}

// Names returns the columns and the retired, stored columns by folded name. Of several retired ones it returns the
// last.
func (s Schema) Names() (columns, retired map[string]Column) {
	columns, retired = make(map[string]Column, len(s.Columns)), map[string]Column{}
	for _, c := range slices.Backward(s.Columns) {
		columns[Fold(c.Name)] = c
	}
	for _, c := range s.Retired {
		if !c.Derived() {
			retired[Fold(c.Name)] = c
		}
	}
	return columns, retired
}

// IsKey reports whether the column belongs to the key.
func (s Schema) IsKey(id int) bool {
	return slices.Contains(s.Key, id) || id == RowID && !s.Keyed()
}

// With returns the schema with the columns: in place of those with the same ids, or else added at the end.
func (s Schema) With(columns ...Column) Schema {
	at := make(map[int]int, len(s.Columns)+len(columns))
	for i, c := range s.Columns {
		at[c.ID] = i
	}
	s.Columns = slices.Clone(s.Columns)
	given := make(map[int]bool, len(columns))
	for _, c := range columns {
		given[c.ID] = true
		if i, known := at[c.ID]; known {
			s.Columns[i] = c
			continue
		}
		at[c.ID] = len(s.Columns)
		s.Columns = append(s.Columns, c)
	}
	s.Retired = slices.DeleteFunc(slices.Clone(s.Retired), func(c Column) bool { return given[c.ID] })
	return s
}

// Without returns the schema without some columns. It does not record them as dropped or retired: see Drop and After.
func (s Schema) Without(ids ...int) Schema {
	gone := setOf(ids)
	s.Columns = slices.DeleteFunc(slices.Clone(s.Columns), func(c Column) bool { return gone[c.ID] })
	return s
}

// setOf returns ids as a set.
func setOf(ids []int) map[int]bool {
	set := make(map[int]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// Drop returns the schema without some columns, which can't come back.
func (s Schema) Drop(ids ...int) Schema {
	s = s.Without(ids...)
	s.Dropped = append(slices.Clip(s.Dropped), ids...)
	return s
}

// Gone reports whether a column was dropped or retired.
func (s Schema) Gone(id int) bool {
	return slices.Contains(s.Dropped, id) || slices.ContainsFunc(s.Retired, func(c Column) bool { return c.ID == id })
}

// After returns the schema as it is when a rollback or restore returns to it from other: columns that only other has
// are retired. Columns that either of them dropped, and that this one does not have, stay dropped.
func (s Schema) After(other Schema) Schema {
	s.Retired, s.Dropped = nil, slices.Clone(s.Dropped)
	known := setOf(s.Dropped)
	for _, c := range s.Columns {
		known[c.ID] = true
	}
	for _, id := range other.Dropped {
		if !known[id] {
			known[id] = true
			s.Dropped = append(s.Dropped, id)
		}
	}
	for _, c := range slices.Concat(other.Retired, other.Columns) {
		if !known[c.ID] {
			s.Retired = append(s.Retired, c)
		}
	}
	return s
}

// Change is one difference between two schemas. Column is its name in the schema that has it; the later one, if both
// have.
type Change struct {
	// added, removed, renamed, retyped, derived (from, to: its derivation) or typed, of a column whose type was not known
	// yet: a key that was declared before there were records, or one that had nothing but nulls; extended, of a column
	// whose extension is another (from, to; empty: none).
	Change string `json:"change"`
	Column string `json:"column"`
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
}

// Changes returns the differences from schema a to schema b (design, section 5). Columns are matched by id.
func Changes(a, b Schema) []Change {
	out := []Change{}
	for _, c := range a.Columns {
		d, ok := b.ByID(c.ID)
		if !ok {
			out = append(out, Change{Change: "removed", Column: c.Name, From: c.Type.String()})
			continue
		}
		if c.Name != d.Name {
			out = append(out, Change{Change: "renamed", Column: d.Name, From: c.Name, To: d.Name})
		}
		switch {
		case c.Type.Equal(d.Type):
		case c.Type.Name == Null:
			out = append(out, Change{Change: "typed", Column: d.Name, To: d.Type.String()})
		default:
			out = append(out, Change{Change: "retyped", Column: d.Name, From: c.Type.String(), To: d.Type.String()})
		}
		if from, to := c.Extension.String(), d.Extension.String(); from != to {
			out = append(out, Change{Change: "extended", Column: d.Name, From: from, To: to})
		}
		if c.Derivation != d.Derivation {
			out = append(out, Change{Change: "derived", Column: d.Name, From: a.DerivationText(c), To: b.DerivationText(d)})
		}
	}
	for _, d := range b.Columns {
		if _, ok := a.ByID(d.ID); !ok {
			out = append(out, Change{Change: "added", Column: d.Name, To: d.Type.String()})
		}
	}
	return out
}
