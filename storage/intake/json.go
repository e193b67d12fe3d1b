package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// jsonRecords are decoded here and not by DuckDB, whose reader rounds 2.5 to an INTEGER, accepts trailing commas, and
// can't distinguish an absent field from a null one. They are read twice: first for their types, then for their values.
type jsonRecords struct {
	upload  Upload
	shape   *shape
	columns []Offered
	rows    int64
	failed  error // of the last reading; DuckDB would pass on only its text
}

// openJSON reads all records once, to find their fields and types.
func openJSON(ctx context.Context, u Upload) (*jsonRecords, error) {
	r := &jsonRecords{upload: u, shape: &shape{}}
	in, err := openDecoder(u)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	for {
		value, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := r.shape.learn(value); err != nil {
			return nil, in.fail(in.count, err)
		}
		r.rows++
		if r.rows%10_000 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if len(r.shape.fields) > MaxColumns {
			return nil, tooManyColumns(fmt.Sprint("more than ", MaxColumns))
		}
	}
	for _, f := range r.shape.fields {
		o := Offered{Name: f.name, Type: f.shape.settle(), Format: JSON, Always: f.seen == r.rows}
		if o.Type.Name == schema.Varchar {
			o.Text = JSONText
		}
		r.columns = append(r.columns, o)
	}
	return r, checkNames(r.columns)
}

func (r *jsonRecords) Columns() []Offered { return r.columns }

// Impose adapts column i to its stored type: where that needs numbers or JSON with all their digits, it offers them as
// text.
func (r *jsonRecords) Impose(i int, stored schema.Type) {
	c := &r.columns[i]
	c.Type = r.shape.fields[i].shape.impose(stored)
	if c.Type.Name == schema.Varchar {
		c.Text = JSONText
	}
}

// Relation registers the second reading of the file as a stream of Arrow. The text of each record is a column of it,
// made only if it is wanted.
func (r *jsonRecords) Relation(ctx context.Context, conn *duck.Conn, want Want) (string, func(), error) {
	stream, err := r.stream()
	if err != nil {
		return "", nil, err
	}
	var list strings.Builder
	for _, i := range want.Columns {
		c := r.columns[i]
		fmt.Fprintf(&list, "CAST(%s AS %s) AS o%d, ", duck.Ident(c.Name), c.Type.SQL(), i) // Arrow carries JSON as text
	}
	columns := want.Columns
	if want.Text {
		columns = append(slices.Clone(columns), len(r.columns))
		list.WriteString(textColumn + ", ")
	}
	release, err := register(ctx, conn, stream, columns)
	return "SELECT " + list.String() + "_n FROM " + view, release, err
}

// fewSlots is the most values that few records may have, absent ones included: those take memory as well, so that a
// short text could need a lot of it.
const fewSlots = 1 << 20

// Few reports whether the records need little memory.
func (r *jsonRecords) Few() bool { return r.shape.slots() <= fewSlots }

// Batch decodes all records at once.
func (r *jsonRecords) Batch() (arrow.RecordBatch, error) {
	in, err := r.stream()
	if err != nil {
		return nil, err
	}
	defer in.Release()
	return gather(in)
}

// failure returns the error of the last reading.
func (r *jsonRecords) failure() error { return r.failed }

// Explain returns the error of the reading itself, if it had one.
func (r *jsonRecords) Explain(err error) error {
	if err != nil && r.failed != nil {
		return r.failed
	}
	return unreadable("JSON", err)
}

// textColumn is the column with each record's text in the Arrow stream. It is found by position, so a field may share
// its name.
const textColumn = "_json"

// An Arrow batch ends after batchRows records, or once their text has batchBytes bytes.
const (
	batchRows  = 4096
	batchBytes = 16 << 20
)

// jsonStream is the second reading of the records: into Arrow, with the types found by the first.
type jsonStream struct {
	in      *decoder
	records *jsonRecords
	schema  *arrow.Schema
	build   *array.RecordBuilder
	batch   arrow.RecordBatch
	refs    int64
}

// stream starts a reading. A failed one leaves its error in failed, as DuckDB would pass on only its text.
func (r *jsonRecords) stream() (array.RecordReader, error) {
	in, err := openDecoder(r.upload)
	if err != nil {
		return nil, err
	}
	fields := make([]arrow.Field, 0, len(r.columns)+1)
	for _, c := range r.columns {
		fields = append(fields, arrow.Field{Name: c.Name, Type: arrowType(c.Type), Nullable: true})
	}
	fields = append(fields, arrow.Field{Name: textColumn, Type: arrow.BinaryTypes.String, Nullable: true})
	s := arrow.NewSchema(fields, nil)
	build := array.NewRecordBuilder(memory.DefaultAllocator, s)
	return &jsonStream{in: in, records: r, schema: s, build: build, refs: 1}, nil
}

func (s *jsonStream) Schema() *arrow.Schema          { return s.schema }
func (s *jsonStream) RecordBatch() arrow.RecordBatch { return s.batch }
func (s *jsonStream) Record() arrow.RecordBatch      { return s.batch }
func (s *jsonStream) Err() error                     { return s.records.failed }
func (s *jsonStream) Retain()                        { s.refs++ }

func (s *jsonStream) Release() {
	if s.refs--; s.refs > 0 {
		return
	}
	if s.batch != nil {
		s.batch.Release()
	}
	s.build.Release()
	_ = s.in.Close() // it was only read
}

// Next decodes the next batch. It ends early at records that are large, so that memory does not grow with them.
func (s *jsonStream) Next() bool {
	if s.records.failed != nil {
		return false
	}
	if s.batch != nil {
		s.batch.Release()
		s.batch = nil
	}
	rows, size := 0, 0
	for ; rows < batchRows && size < batchBytes; rows++ {
		value, err := s.in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		size += len(value)
		if err == nil {
			err = s.add(value)
		}
		if err != nil {
			s.records.failed = err
			return false
		}
	}
	if rows == 0 {
		return false
	}
	s.batch = s.build.NewRecordBatch()
	return true
}

// add appends a record to the batch being built: its columns, then its text.
func (s *jsonStream) add(record jsontext.Value) error {
	last := len(s.records.columns)
	if err := appendFields(s.records.shape, s.build.Fields()[:last], record); err != nil {
		return s.in.fail(s.in.count, err)
	}
	s.build.Field(last).(*array.StringBuilder).Append(string(record))
	return nil
}

// decoder yields the records of a JSON array or of NDJSON, one by one, and checks that they are objects.
type decoder struct {
	file  io.Closer
	json  *jsontext.Decoder
	array bool
	ended bool
	count int64
}

// openDecoder opens the records of a body and enters its array, if it is one.
func openDecoder(u Upload) (*decoder, error) {
	f, err := u.open()
	if err != nil {
		return nil, err
	}
	body, err := skipMark(f, u.Size)
	if err != nil {
		_ = f.Close() // it was only read
		return nil, err
	}
	d := &decoder{file: f, json: jsontext.NewDecoder(body), array: u.Format == JSON}
	if !d.array {
		return d, nil
	}
	kind := d.json.PeekKind()
	if kind == '[' {
		_, err = d.json.ReadToken()
		return d, err
	}
	_, err = d.json.ReadValue()
	_ = f.Close() // it was only read
	switch {
	case errors.Is(err, io.EOF):
		return nil, malformed("the body is empty: send a JSON array of records")
	case err != nil:
		return nil, malformed("the JSON can't be read: %s", reason(err))
	}
	return nil, misshapen("the JSON is not an array of records; " +
		"send [{…}, …], or one object per line as application/x-ndjson")
}

// next returns the next record, valid until the next call, or io.EOF.
func (d *decoder) next() (jsontext.Value, error) {
	if d.ended {
		return nil, io.EOF
	}
	if d.array && d.json.PeekKind() == ']' {
		if _, err := d.json.ReadToken(); err != nil {
			return nil, d.fail(d.count+1, err)
		}
		if _, err := d.json.ReadToken(); !errors.Is(err, io.EOF) {
			return nil, malformed("there is more after the JSON array's end")
		}
		d.ended = true
		return nil, io.EOF
	}
	value, err := d.json.ReadValue()
	if errors.Is(err, io.EOF) && !d.array {
		return nil, io.EOF
	}
	if err != nil {
		return nil, d.fail(d.count+1, err)
	}
	d.count++
	if value.Kind() != '{' {
		return nil, misshapen("record %d is not a JSON object", d.count)
	}
	return value, nil
}

// fail returns the error for record n, counted from 1.
func (d *decoder) fail(n int64, err error) error {
	if errors.Is(err, errTooDeep) {
		return misshapen("record %d can't be kept: %s", n, err)
	}
	return malformed("record %d of the JSON can't be read: %s", n, reason(err))
}

// reason returns the message of a JSON error, without the name of the package.
func reason(err error) string {
	var syntax *jsontext.SyntacticError
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "it ends too early"
	}
	if errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax) {
		return fmt.Sprintf("the field %q appears twice", syntax.JSONPointer.LastToken())
	}
	if errors.As(err, &syntax) {
		return syntax.Err.Error()
	}
	return err.Error()
}

// Close closes the file.
func (d *decoder) Close() error { return d.file.Close() }
