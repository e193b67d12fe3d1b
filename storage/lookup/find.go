package lookup

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"

	"github.com/rowback/rowback/storage/schema"
)

// Match is a row of a file that has one of the keys sought.
type Match struct {
	Row int64 // its number in the file
	Key int   // which of the keys
}

// Find returns the rows of a row group that have one of the keys, in order. It reads the first column of the key, and
// the others if that leaves any rows.
func (f *File) Find(group int, columns []Column, keys []Key) (matches []Match, err error) {
	f.read.Groups.Add(1)
	err = guarded(func() error {
		for i, c := range columns {
			values := make([]Value, len(keys))
			for k := range keys {
				values[k] = keys[k][i]
			}
			more, err := f.equal(group, c, values)
			if err != nil {
				return err
			}
			if i == 0 {
				matches = more
			} else {
				matches = both(matches, more)
			}
			if len(matches) == 0 {
				return nil
			}
		}
		return nil
	})
	first := f.firstRow(group)
	for i := range matches {
		matches[i].Row += first
	}
	return matches, err
}

// both returns the matches that are in both lists.
func both(a, b []Match) []Match {
	has := make(map[Match]bool, len(b))
	for _, m := range b {
		has[m] = true
	}
	return slices.DeleteFunc(a, func(m Match) bool { return !has[m] })
}

// equal returns the rows of a row group, by their numbers in it, in which a column has one of some values.
func (f *File) equal(group int, c Column, values []Value) (matches []Match, err error) {
	before := f.firstRow(group)
	err = f.pages(group, c, func(first int, p parquet.Page) error {
		var rows []int64
		s := search{column: c.Type, values: values, found: func(row, value int) {
			matches = append(matches, Match{int64(first + row), value})
			rows = append(rows, int64(row))
		}}
		if err := s.page(p); err != nil || len(rows) > mostKept {
			return err
		}
		for _, row := range rows {
			if err := f.keep(c, p, row, before+int64(first)); err != nil {
				return err
			}
		}
		return nil
	})
	return matches, err
}

// mostKept is up to how many values of a page are kept that were found.
const mostKept = 64

// keep keeps the value of a row of a page, which begins with a row of the file.
func (f *File) keep(c Column, p parquet.Page, row, first int64) error {
	return eachStored(p.Slice(row, row+1), func(_ int, v parquet.Value) { f.seen[cell{c.Name, first + row}] = v.Clone() })
}

// search looks for values in a page.
type search struct {
	column schema.Type
	values []Value
	found  func(row, value int)
}

func (s search) page(p parquet.Page) error {
	if p.NumNulls() == 0 && p.NumValues() == p.NumRows() {
		data := p.Data()
		switch dictionary := p.Dictionary(); {
		case dictionary != nil:
			s.indexed(dictionary, data.Int32())
			return nil
		case familyOf(s.column) == texts && data.Kind() == encoding.ByteArray:
			s.texts(data.ByteArray())
			return nil
		case s.column.IsInteger() && s.column.Name != schema.Ubigint && data.Kind() == encoding.Int64:
			integers(s, data.Int64())
			return nil
		case s.column.IsInteger() && data.Kind() == encoding.Int32 && s.column.Name[0] != 'U':
			integers(s, data.Int32())
			return nil
		}
	}
	return eachValue(p, s.column, func(row int, v Value) { s.one(row, v) })
}

// one looks at one value.
func (s search) one(row int, v Value) {
	for i, sought := range s.values {
		if sought == v {
			s.found(row, i)
		}
	}
}

// indexed looks for the values in a dictionary, then for their numbers in the page.
func (s search) indexed(d parquet.Dictionary, indexes []int32) {
	at := map[int32][]int{}
	for n := range int32(d.Len()) {
		v := stored(d.Index(n), s.column)
		for i, sought := range s.values {
			if sought == v {
				at[n] = append(at[n], i)
			}
		}
	}
	if len(at) == 0 {
		return
	}
	for row, n := range indexes {
		for _, i := range at[n] {
			s.found(row, i)
		}
	}
}

func (s search) texts(data []byte, offsets []uint32) {
	for row := range len(offsets) - 1 {
		text := data[offsets[row]:offsets[row+1]]
		for i, sought := range s.values {
			if len(sought.text) == len(text) && sought.text == string(text) {
				s.found(row, i)
			}
		}
	}
}

func integers[T int32 | int64](s search, data []T) {
	var sought []T
	var which []int
	for i, v := range s.values {
		if v.text == "" && int64(T(v.number)) == v.number {
			sought, which = append(sought, T(v.number)), append(which, i)
		}
	}
	for row, n := range data {
		for i, want := range sought {
			if n == want {
				s.found(row, which[i])
			}
		}
	}
}

// eachValue calls each for every value of a page that is not null.
func eachValue(p parquet.Page, t schema.Type, each func(row int, v Value)) error {
	return eachStored(p, func(row int, v parquet.Value) {
		if !v.IsNull() {
			each(row, stored(v, t))
		}
	})
}

// Cells returns the values that a column has in some rows of a row group, by their numbers in the file.
func (f *File) Cells(group int, c Column, rows []int64) (cells []parquet.Value, err error) {
	cells = make([]parquet.Value, len(rows))
	known := 0
	for i, row := range rows {
		if v, ok := f.seen[cell{c.Name, row}]; ok {
			cells[i], known = v, known+1
		}
	}
	if known == len(rows) {
		return cells, nil
	}
	before := f.firstRow(group)
	return cells, guarded(func() error {
		return f.pages(group, c, func(first int, p parquet.Page) error {
			for i, row := range rows {
				at := row - before - int64(first)
				if at < 0 || at >= p.NumRows() {
					continue
				}
				err := eachStored(p.Slice(at, at+1), func(_ int, v parquet.Value) { cells[i] = v.Clone() })
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// Append appends the values that a column has in some rows of the file to a builder of its Arrow type (ArrowType); rows
// nil: in all. An error may leave some of them in the builder.
func (f *File) Append(to array.Builder, c Column, rows []bool) error {
	return guarded(func() error {
		before, appended := 0, to.Len()
		for g, group := range f.RowGroups() {
			n := int(group.NumRows())
			if f.isEmpty(g, c) {
				to.AppendNulls(wanted(part(rows, before, n), n))
			} else if err := f.pages(g, c, func(first int, p parquet.Page) error {
				return eachStored(p, func(row int, v parquet.Value) {
					if rows == nil || rows[before+first+row] {
						appendTo(to, v, c.Type)
					}
				})
			}); err != nil {
				return err
			}
			before += n
		}
		if to.Len()-appended != wanted(rows, before) {
			return errColumn
		}
		return nil
	})
}

// isEmpty reports whether the statistics say that a column has no value in a row group.
func (f *File) isEmpty(group int, c Column) bool {
	leaf, ok := f.Schema().Lookup(c.Name)
	if !ok {
		return false
	}
	m := &f.Metadata().RowGroups[group].Columns[leaf.ColumnIndex].MetaData
	return m.NumValues > 0 && m.Statistics.NullCount == m.NumValues
}

// part returns n of the rows; nil: of all.
func part(rows []bool, first, n int) []bool {
	if rows == nil {
		return nil
	}
	return rows[first : first+n]
}

// wanted returns how many rows there are of a number of rows; nil: all.
func wanted(rows []bool, all int) (n int) {
	if rows == nil {
		return all
	}
	for _, is := range rows {
		if is {
			n++
		}
	}
	return n
}

// Integers returns the values that a BIGINT column without nulls has in some rows of a row group.
func (f *File) Integers(group int, name string, rows []int64) ([]int64, error) {
	cells, err := f.Cells(group, Column{name, schema.Of(schema.Bigint)}, rows)
	out := make([]int64, len(cells))
	for i, c := range cells {
		if err == nil && c.Kind() != parquet.Int64 {
			err = errColumn
		}
		if err == nil {
			out[i] = c.Int64()
		}
	}
	return out, err
}

// Integer is a BIGINT as a value of a key.
func Integer(n int64) Value { return integer(n) }

func eachStored(p parquet.Page, each func(row int, v parquet.Value)) error {
	values, some := p.Values(), make([]parquet.Value, 256)
	for row := 0; row < int(p.NumRows()); {
		n, err := values.ReadValues(some)
		for _, v := range some[:n] {
			each(row, v)
			row++
		}
		if n == 0 && err != nil {
			return err
		}
	}
	return nil
}
