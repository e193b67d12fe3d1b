package intake

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// arrowRecords are the records of an Arrow IPC stream or file.
type arrowRecords struct {
	path    string
	size    int64
	columns []Offered
	plain   bool  // all columns have plain types: see few.go
	failed  error // of the last reading; DuckDB would pass on only its text
}

// openArrow reads the schema of a stream. Where all columns are plain, DuckDB need not be asked what they are.
func openArrow(ctx context.Context, conn *duck.Conn, u Upload) (Records, error) {
	if err := checkEnd(u); err != nil {
		return nil, err
	}
	r := &arrowRecords{path: u.Path, size: u.Size}
	stream, err := r.open()
	if err != nil {
		return nil, err
	}
	defer stream.Release()
	if err := checkNames(arrowNames(stream.Schema())); err != nil {
		return nil, err
	}
	if r.columns, r.plain = plainColumns(stream.came().Fields()); r.plain {
		return r, nil
	}
	if r.columns, err = describeFields(ctx, conn, stream.Schema().Fields()); err != nil {
		return nil, err
	}
	geo, _ := stream.came().Metadata().GetValue(datafile.GeoKey) // as programs that know GeoParquet write it
	return r, extend(ctx, conn, r.columns, stream.came().Fields(), datafile.Geometries(geo))
}

// describeFields returns the types in which DuckDB reads Arrow fields.
func describeFields(ctx context.Context, conn *duck.Conn, fields []arrow.Field) ([]Offered, error) {
	out := make([]Offered, len(fields))
	var typed []arrow.Field
	for i, f := range fields {
		if why := trouble(f, false); why != "" {
			return nil, misshapen("column %q %s", f.Name, why)
		}
		out[i] = Offered{Name: f.Name, Type: schema.Of(schema.Null)}
		if f.Type.ID() != arrow.NULL {
			typed = append(typed, f)
		}
	}
	found, err := describeTyped(ctx, conn, typed)
	if err != nil || len(found) != len(typed) {
		return nil, errors.Join(context.Cause(ctx), unsupportedField(ctx, conn, typed))
	}
	for i, f := range fields {
		if f.Type.ID() != arrow.NULL {
			out[i], found = found[0], found[1:]
			out[i].Type = hollow(out[i].Type, f.Type)
		}
	}
	return out, nil
}

// describeTyped is describeFields for fields that have a type other than null.
func describeTyped(ctx context.Context, conn *duck.Conn, fields []arrow.Field) ([]Offered, error) {
	if len(fields) == 0 {
		return nil, nil
	}
	none, err := array.NewRecordReader(arrow.NewSchema(fields, nil), nil)
	if err != nil {
		return nil, err
	}
	release, err := conn.View(ctx, view, none)
	if err != nil {
		return nil, err
	}
	defer release()
	return describe(ctx, conn, view)
}

// unsupportedField returns an error that names the first field of a type that DuckDB can't read.
func unsupportedField(ctx context.Context, conn *duck.Conn, fields []arrow.Field) error {
	for i, f := range fields {
		if found, err := describeTyped(ctx, conn, fields[i:i+1]); err != nil || len(found) != 1 {
			return misshapen("column %q has the Arrow type %s, which can't be stored; convert it first", f.Name, f.Type)
		}
	}
	return malformedArrow
}

// arrowNames are the columns with nothing but their names, to be checked before their types are.
func arrowNames(s *arrow.Schema) []Offered {
	out := make([]Offered, s.NumFields())
	for i, f := range s.Fields() {
		out[i].Name = f.Name
	}
	return out
}

func (r *arrowRecords) Columns() []Offered { return r.columns }

func (r *arrowRecords) Relation(ctx context.Context, conn *duck.Conn, want Want) (string, func(), error) {
	stream, err := r.open()
	if err != nil {
		return "", nil, err
	}
	release, err := register(ctx, conn, stream, want.Columns)
	return "SELECT " + aliased(r.columns, want) + "_n FROM " + view, release, err
}

// open opens the stream for one reading. Every batch is validated.
func (r *arrowRecords) open() (*checkedStream, error) {
	f, err := os.Open(r.path)
	if err != nil {
		return nil, err
	}
	body := bufio.NewReaderSize(f, 1<<20)
	isFile, err := skipMagic(body)
	if err != nil {
		_ = f.Close() // it was only read
		return nil, err
	}
	in, err := newReader(body, r.size)
	if err != nil {
		_ = f.Close() // it was only read
		return nil, malformedArrow
	}
	own := in.Schema()
	kept := arrow.NewSchema(narrowedFields(own.Fields()), nil)
	return &checkedStream{
		RecordReader: in, schema: kept, file: f, body: body, isFile: isFile, failed: &r.failed,
	}, nil
}

// failure returns the error of the last reading.
func (r *arrowRecords) failure() error { return r.failed }

func (r *arrowRecords) Explain(err error) error {
	if err != nil && r.failed != nil {
		return r.failed
	}
	return unreadable("Arrow stream", err)
}

// malformedArrow is the error for every stream that can't be read: arrow-go's messages are meant for authors of
// readers.
var malformedArrow = malformed("the Arrow stream can't be read: it is malformed")

// maxBuffer is the largest size, in bytes, of a buffer that is larger than its stream, as compressed ones are. Sizes in
// a stream are claims that need not be true.
const maxBuffer = 1 << 30

// boundedAllocator panics on buffers of more than most bytes.
type boundedAllocator struct {
	memory.Allocator
	most int64
}

func (a boundedAllocator) Allocate(size int) []byte {
	return a.Allocator.Allocate(a.check(size))
}

func (a boundedAllocator) Reallocate(size int, b []byte) []byte {
	return a.Allocator.Reallocate(a.check(size), b)
}

// check panics on what no honest stream of this size needs.
func (a boundedAllocator) check(size int) int {
	if size < 0 || int64(size) > a.most {
		panic(fmt.Sprintf("a buffer of %d bytes", size)) // arrow-go has no way for an allocator to fail; readers recover
	}
	return size
}

// newReader opens an IPC stream of the given size in bytes. arrow-go panics on some malformed ones.
func newReader(in io.Reader, size int64) (r *ipc.Reader, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed schema: %v", p)
		}
	}()
	return ipc.NewReader(in, ipc.WithBodySizeLimit(max(size, 1)), ipc.WithMetadataSizeLimit(max(size, 1)),
		ipc.WithAllocator(boundedAllocator{memory.DefaultAllocator, max(size+size/8, maxBuffer)}))
}

// checkedStream validates every batch in full before DuckDB reads it: offsets that point outside their buffers would
// crash the process.
type checkedStream struct {
	array.RecordReader
	schema *arrow.Schema // with the types in which it is read
	batch  arrow.RecordBatch
	file   *os.File
	body   *bufio.Reader
	isFile bool // the footer of an Arrow file follows the stream
	failed *error
}

// came returns the schema that the stream came with.
func (s *checkedStream) came() *arrow.Schema { return s.RecordReader.Schema() }

func (s *checkedStream) Schema() *arrow.Schema          { return s.schema }
func (s *checkedStream) RecordBatch() arrow.RecordBatch { return s.batch }
func (s *checkedStream) Record() arrow.RecordBatch      { return s.batch }

// drop releases the batch that was read last.
func (s *checkedStream) drop() {
	if s.batch != nil {
		s.batch.Release()
		s.batch = nil
	}
}

// Next reads a batch. DuckDB asks for it from C code, which a panic must not pass through: it is kept as the error.
func (s *checkedStream) Next() (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			*s.failed, ok = malformedArrow, false
		}
	}()
	s.drop()
	if *s.failed != nil {
		return false
	}
	if !s.RecordReader.Next() {
		*s.failed = s.ended()
		return false
	}
	for i, column := range s.RecordReader.RecordBatch().Columns() {
		if err := validate(column); err != nil {
			*s.failed = refusal(s.schema.Field(i).Name, err)
			return false
		}
	}
	s.batch = narrowed(s.schema, s.RecordReader.RecordBatch())
	return true
}

// ended returns why the stream, which has no more batches, is not one whole stream. Two of them, one after the other,
// are not: readers stop at the first end, so what follows it would be lost.
func (s *checkedStream) ended() error {
	if s.RecordReader.Err() != nil {
		return malformedArrow
	}
	if s.isFile {
		return nil
	}
	if _, err := s.body.Peek(1); !errors.Is(err, io.EOF) {
		return malformed("there is more after the end of the Arrow stream. Send one stream with all records")
	}
	return nil
}

// refusal returns the error for a column that failed validation.
func refusal(name string, err error) error {
	switch {
	case errors.Is(err, errFine):
		return misshapen("column %q has parts of microseconds, which are kept only of timestamps without a zone; "+
			"convert it first", name)
	case errors.Is(err, errFar):
		return misshapen("column %q has dates in milliseconds that are out of range or not whole days; "+
			"convert it first", name)
	case errors.Is(err, errDigits):
		return misshapen("column %q has decimals with more digits than their type has; correct or convert them", name)
	case errors.Is(err, errNullKey):
		return misshapen("column %q has a map with a key that is null, which can't be stored; remove it", name)
	case errors.Is(err, errNoIndexes):
		return misshapen("column %q has a dictionary in lists that are all empty, which can't be read; decode it first", name)
	}
	return malformed("the Arrow stream is malformed: column %q: %s", name, err)
}

func (s *checkedStream) Err() error { return *s.failed }

func (s *checkedStream) Release() {
	s.drop()
	s.RecordReader.Release()
	_ = s.file.Close() // it was only read
}

// validate checks an array and, recursively, its children and dictionary.
func validate(a arrow.Array) error {
	if v, ok := a.(interface{ ValidateFull() error }); ok {
		if err := v.ValidateFull(); err != nil {
			return err
		}
	}
	data := a.Data()
	if err := checkLengths(a); err != nil {
		return err
	}
	if tooFine(a) {
		return errFine
	}
	if farDate(a) {
		return errFar
	}
	if tooLong(a) {
		return errDigits
	}
	if m, ok := a.(*array.Map); ok && hasNull(m.Keys()) {
		return errNullKey
	}
	for _, child := range data.Children() {
		if child.DataType().ID() == arrow.DICTIONARY && child.Len() == 0 && a.Len() > 0 {
			return errNoIndexes
		}
		c := array.MakeFromData(child)
		err := validate(c)
		c.Release()
		if err != nil {
			return err
		}
	}
	if d, ok := a.(*array.Dictionary); ok {
		return checkDictionary(d)
	}
	return nil
}

// errFine refuses nanoseconds that DuckDB would drop: it has microseconds only for times and for timestamps with a
// zone.
var errFine = errors.New("parts of microseconds")

// tooFine reports whether a value would lose nanoseconds in DuckDB.
func tooFine(a arrow.Array) bool {
	value := func(int) int64 { return 0 }
	switch v := a.(type) {
	case *array.Timestamp:
		if t := v.DataType().(*arrow.TimestampType); t.Unit == arrow.Nanosecond && t.TimeZone != "" {
			value = func(i int) int64 { return int64(v.Value(i)) }
		}
	case *array.Time64:
		if v.DataType().(*arrow.Time64Type).Unit == arrow.Nanosecond {
			value = func(i int) int64 { return int64(v.Value(i)) }
		}
	default:
		return false
	}
	for i := range a.Len() {
		if a.IsValid(i) && value(i)%1000 != 0 {
			return true
		}
	}
	return false
}

// errFar refuses dates that DuckDB would change: it counts days in 32 bits.
var errFar = errors.New("dates out of range")

// errNoIndexes refuses a dictionary in lists that are all empty, on which DuckDB fails.
var errNoIndexes = errors.New("a dictionary without indexes")

// errNullKey refuses maps that DuckDB can't read.
var errNullKey = errors.New("a null among the keys of a map")

// hasNull reports whether an array has a null, which one of run ends has among its values.
func hasNull(a arrow.Array) bool {
	if r, ok := a.(*array.RunEndEncoded); ok {
		return hasNull(r.Values())
	}
	return a.NullN() > 0
}

const dayMillis = 86_400_000

// farDate reports whether a date in milliseconds is not a whole day or not one of DuckDB's.
func farDate(a arrow.Array) bool {
	dates, ok := a.(*array.Date64)
	if !ok {
		return false
	}
	for i := range a.Len() {
		n := int64(dates.Value(i))
		if a.IsValid(i) && (n/dayMillis != int64(int32(n/dayMillis)) || n%dayMillis != 0) {
			return true
		}
	}
	return false
}

// errDigits refuses decimals that DuckDB would cut off: it reads them in as many bytes as their type needs.
var errDigits = errors.New("decimals with too many digits")

// tooLong reports whether a decimal has more digits than its type.
func tooLong(a arrow.Array) bool {
	switch a := a.(type) {
	case *array.Decimal32:
		return anyTooLong(a, a.Value)
	case *array.Decimal64:
		return anyTooLong(a, a.Value)
	case *array.Decimal128:
		return anyTooLong(a, a.Value)
	case *array.Decimal256:
		return anyTooLong(a, a.Value)
	}
	return false
}

func anyTooLong[T decimalValue[T]](a arrow.Array, value func(int) T) bool {
	digits := a.DataType().(arrow.DecimalType).GetPrecision()
	for i := range a.Len() {
		// The least number has no opposite, so that it would seem to fit.
		if a.IsValid(i) && (!value(i).FitsInPrecision(digits) || value(i).Abs().Sign() < 0) {
			return true
		}
	}
	return false
}

type decimalValue[T any] interface {
	FitsInPrecision(digits int32) bool
	Abs() T
	Sign() int
}

// checkLengths returns an error if the buffers of a fixed-width array are shorter than its elements need.
func checkLengths(a arrow.Array) error {
	data := a.Data()
	need := int64(data.Offset() + data.Len())
	buffers := data.Buffers()
	if len(buffers) > 0 && buffers[0] != nil && int64(buffers[0].Len())*8 < need {
		return errors.New("the validity bitmap is too short")
	}
	fixed, ok := a.DataType().(arrow.FixedWidthDataType)
	if !ok || len(buffers) < 2 || need == 0 {
		return nil
	}
	if buffers[1] == nil || int64(buffers[1].Len())*8 < need*int64(fixed.BitWidth()) {
		return errors.New("the values are too short")
	}
	return nil
}

// checkDictionary validates the values of a dictionary, and that every index points at one of them.
func checkDictionary(d *array.Dictionary) error {
	if err := validate(d.Dictionary()); err != nil {
		return err
	}
	for i := range d.Len() {
		if d.IsValid(i) && uint(d.GetValueIndex(i)) >= uint(d.Dictionary().Len()) {
			return errors.New("an index lies outside its dictionary")
		}
	}
	return nil
}
