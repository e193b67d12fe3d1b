package datafile

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/rowback/rowback/storage/gate"
	"github.com/rowback/rowback/storage/schema"
)

// UploadFile is what the footer of an uploaded Parquet file says of it.
type UploadFile struct {
	Columns []UploadColumn
	Rows    int64
	Arrow   string // the Arrow schema that it was written with, as base64; empty: it does not say
}

// arrowKey is the key in a file's metadata under which Arrow's writers leave that schema.
const arrowKey = "ARROW:schema"

// UploadColumn is a column of an uploaded Parquet file.
type UploadColumn struct {
	Name    string
	Shape   string // its Parquet types, equal for equal ones whether they may be null or not
	Plain   string // BIGINT, DOUBLE, VARCHAR or BOOLEAN, if every reader agrees on that; else empty
	Trouble string // why its values can't be stored exactly; empty if they can

	Extension  *schema.Extension // what the file says of its geometries
	Geometries bool              // it has a type of geometries, or a part that has: see Plainly
	Int96      Int96             // whether DuckDB reads its values whole

	column *parquet.Column
}

// Hollow returns the type that DuckDB reads the column in with NULL in each place whose logical type is that: those
// have no values, so that they may become anything.
func (c UploadColumn) Hollow(t schema.Type) schema.Type { return hollow(c.column, t) }

func hollow(c *parquet.Column, t schema.Type) schema.Type {
	parts := c.Columns()
	switch {
	case c.Leaf() && isNull(c.Type()):
		return schema.Of(schema.Null)
	case t.Name == schema.List && len(parts) == 1:
		// The repeated group has the element as its only column, unless, as older writers have it, it is the element.
		elem := parts[0]
		if in := elem.Columns(); len(in) == 1 && (t.Elem.Name != schema.Struct || hasFields(in[0], t.Elem.Fields)) {
			elem = in[0]
		}
		return schema.ListOf(hollow(elem, *t.Elem))
	case t.Name == schema.Map && len(parts) == 1 && len(parts[0].Columns()) == 2:
		elem := hollow(parts[0].Columns()[1], *t.Elem)
		t.Elem = &elem
	case t.Name == schema.Struct && len(parts) == len(t.Fields):
		t.Fields = slices.Clone(t.Fields)
		for i := range t.Fields {
			t.Fields[i].Type = hollow(parts[i], t.Fields[i].Type)
		}
	}
	return t
}

// hasFields reports whether a column is a group of these fields.
func hasFields(c *parquet.Column, fields []schema.Field) bool {
	return slices.EqualFunc(c.Columns(), fields, func(part *parquet.Column, f schema.Field) bool {
		return part.Name() == f.Name
	})
}

// The errors for files whose footer can't be read: errForeign for those that begin and end as Parquet files do.
var (
	errNotWhole = errors.New("it is not a complete Parquet file")
	errForeign  = errors.New("it is damaged, or written in a way that is not supported here. " +
		"Write it again with another program, such as pyarrow or DuckDB")
	errEncrypted = errors.New("it is encrypted. Decrypt it first")
)

// unread returns the error for a file whose footer or values can't be read.
func unread(in io.ReaderAt, size int64) error {
	head, tail := make([]byte, 4), make([]byte, 4)
	if _, err := in.ReadAt(head, 0); err != nil {
		return errNotWhole
	}
	if _, err := in.ReadAt(tail, size-4); err != nil {
		return errNotWhole
	}
	switch {
	case string(tail) == "PARE":
		return errEncrypted
	case string(head) == "PAR1" && string(tail) == "PAR1" && size > 12:
		return errForeign
	}
	return errNotWhole
}

// Inspect reads the footer of an uploaded file, and checks the values that DuckDB might truncate: it has microseconds
// only for times and for timestamps with a zone, and 38 digits for decimals. parquet-go panics on some malformed files.
func Inspect(path string) (file UploadFile, err error) {
	in, size, err := open(path)
	if err != nil {
		return file, err
	}
	defer in.Close()
	defer func() {
		if p := recover(); p != nil {
			err = unread(in, size)
		}
	}()
	f, err := parquet.OpenFile(in, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return file, unread(in, size)
	}
	for _, group := range f.RowGroups() {
		file.Rows += group.NumRows()
	}
	file.Arrow, _ = f.Lookup(arrowKey)
	geo, _ := f.Lookup(GeoKey)
	geometries := Geometries(geo)
	for _, c := range f.Root().Columns() {
		own := UploadColumn{Name: c.Name(), Shape: shape(c), Plain: plain(c), Geometries: hasGeometry(f, c), column: c}
		if own.Extension = geometries[c.Name()]; own.Extension == nil {
			own.Extension = nativeGeometry(f, c)
		}
		own.Trouble = innerNames(c)
		switch {
		case own.Trouble != "":
		case c.Leaf() && !c.Repeated() && c.Type().Kind() == parquet.Int96:
			own.Int96 = int96Of(f, c)
		default:
			own.Trouble, err = trouble(f, c)
		}
		if err != nil {
			return UploadFile{}, unread(in, size)
		}
		file.Columns = append(file.Columns, own)
	}
	return file, nil
}

// shape describes the types of a column.
func shape(c *parquet.Column) string {
	var list []string
	for _, inside := range c.Columns() {
		list = append(list, inside.Name()+" "+shape(inside))
	}
	text := "{" + strings.Join(list, ", ") + "}"
	if c.Leaf() {
		text = c.Type().String()
	} else if l := c.Type().LogicalType(); l != nil {
		text = l.String() + text
	}
	if c.Repeated() {
		text = "repeated " + text
	}
	return text
}

func isNull(t parquet.Type) bool {
	_, ok := logical(t).(*format.NullType)
	return ok
}

// plain returns the type of a column if every reader agrees on it; else "".
func plain(c *parquet.Column) string {
	if !c.Leaf() || c.Repeated() {
		return ""
	}
	kind, named := c.Type().Kind(), logical(c.Type())
	_, isText := named.(*format.StringType)
	number, isNumber := named.(*format.IntType)
	switch {
	case kind == parquet.Int64 && isNumber && number.BitWidth == 64 && number.IsSigned:
		return schema.Bigint
	case kind == parquet.ByteArray && isText:
		return schema.Varchar
	case named != nil || c.Type().ConvertedType() != nil:
		return ""
	}
	return map[parquet.Kind]string{
		parquet.Int64: schema.Bigint, parquet.Double: schema.Double, parquet.Boolean: schema.Boolean,
	}[kind]
}

// logical returns the logical type of a column; nil if it has none, and its physical type is all that is known.
func logical(t parquet.Type) format.LogicalTypeValue {
	if l := t.LogicalType(); l != nil {
		return l.Value
	}
	return nil
}

// innerNames describes what is wrong with the names of nested fields, which DuckDB accepts, changes or reports in part;
// else "".
func innerNames(c *parquet.Column) string {
	var names []string
	for _, inside := range c.Columns() {
		names = append(names, inside.Name())
	}
	if why := gate.Names(names); why != "" {
		return why
	}
	for _, inside := range c.Columns() {
		if why := innerNames(inside); why != "" {
			return why
		}
	}
	return ""
}

// trouble describes what is wrong with the values of a column or of one nested in it; else "".
func trouble(f *parquet.File, c *parquet.Column) (string, error) {
	for _, inside := range c.Columns() {
		if text, err := trouble(f, inside); text != "" || err != nil {
			return text, err
		}
	}
	if !c.Leaf() {
		return "", nil
	}
	if d, ok := logical(c.Type()).(*format.DecimalType); ok && d.Precision > 38 {
		return fmt.Sprintf("has decimals of %d digits, and at most 38 can be stored; convert it first", d.Precision), nil
	}
	if !finerThanKept(c.Type()) {
		return "", nil
	}
	fine, err := hasNanoseconds(f, c)
	if fine && err == nil {
		return "has parts of microseconds, which are kept only of timestamps without a zone; convert it first", nil
	}
	return "", err
}

// finerThanKept reports whether a type has a finer resolution than DuckDB's.
func finerThanKept(t parquet.Type) bool {
	if t.Kind() == parquet.Int96 {
		return true
	}
	switch l := logical(t).(type) {
	case *format.TimestampType:
		return l.IsAdjustedToUTC && isNano(l.Unit)
	case *format.TimeType:
		return isNano(l.Unit)
	}
	return false
}

func isNano(u format.TimeUnit) bool {
	_, ok := u.Value.(*format.NanoSeconds)
	return ok
}

// hasNanoseconds reports whether a value of a column is not a whole microsecond.
func hasNanoseconds(f *parquet.File, c *parquet.Column) (bool, error) {
	for _, group := range f.RowGroups() {
		pages := group.ColumnChunks()[c.Index()].Pages()
		fine, err := anyNanosecond(pages)
		if err = errors.Join(err, pages.Close()); fine || err != nil {
			return fine, err
		}
	}
	return false, nil
}

// anyNanosecond reads values until one is not a whole microsecond.
func anyNanosecond(pages parquet.Pages) (bool, error) {
	values := make([]parquet.Value, 4096)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		in := page.Values()
		for err == nil {
			var n int
			n, err = in.ReadValues(values)
			for _, v := range values[:n] {
				if nanoseconds(v)%1000 != 0 {
					parquet.Release(page)
					return true, nil
				}
			}
		}
		parquet.Release(page)
		if !errors.Is(err, io.EOF) {
			return false, err
		}
	}
}

// nanoseconds is a time in nanoseconds. INT96, of old Spark and Impala, has those of the day in its first eight bytes;
// the day itself is whole.
func nanoseconds(v parquet.Value) int64 {
	switch {
	case v.IsNull():
		return 0
	case v.Kind() == parquet.Int96:
		n := v.Int96()
		return int64(n[1])<<32 | int64(n[0])
	}
	return v.Int64()
}
