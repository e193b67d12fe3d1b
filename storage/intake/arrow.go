package intake

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"rowback/storage/duck"
)

type arrowRecords struct {
	path    string
	columns []Offered
	failed  error // what a reading met; DuckDB would pass on only its text
}

func openArrow(ctx context.Context, conn *duck.Conn, u Upload) (Records, error) {
	if err := checkEnd(u); err != nil {
		return nil, err
	}
	r := &arrowRecords{path: u.Path}
	stream, err := r.open()
	if err != nil {
		return nil, err
	}
	defer stream.Release()
	if err := checkNames(arrowNames(stream.Schema())); err != nil {
		return nil, err
	}
	release, err := conn.View(ctx, view, stream)
	if err != nil {
		return nil, malformed("the Arrow stream has a type that can't be stored: %s", stream.Schema())
	}
	defer release()
	r.columns, err = describe(ctx, conn, view)
	if err != nil {
		return nil, unreadable("Arrow stream", err)
	}
	return r, nil
}

func arrowNames(s *arrow.Schema) []Offered {
	out := make([]Offered, s.NumFields())
	for i, f := range s.Fields() {
		out[i].Name = f.Name
	}
	return out
}

// checkEnd looks for the end-of-stream marker: without it, a stream cut between two batches would pass as complete.
func checkEnd(u Upload) error {
	f, err := os.Open(u.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	tail := make([]byte, 8)
	if _, err := f.ReadAt(tail, max(0, u.Size-8)); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !bytes.Equal(tail, []byte{255, 255, 255, 255, 0, 0, 0, 0}) && !bytes.Equal(tail[4:], []byte{0, 0, 0, 0}) {
		return malformed("the Arrow stream ends before its end-of-stream marker: it was cut short, or it is not an IPC stream")
	}
	return nil
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

func (r *arrowRecords) open() (array.RecordReader, error) {
	f, err := os.Open(r.path)
	if err != nil {
		return nil, err
	}
	in, err := newReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		f.Close()
		return nil, malformed("the Arrow stream can't be read: %s", err)
	}
	return &checkedStream{RecordReader: in, file: f, failed: &r.failed}, nil
}

func (r *arrowRecords) Explain(err error) error {
	if err != nil && r.failed != nil {
		return r.failed
	}
	return unreadable("Arrow stream", err)
}

// newReader opens an IPC stream. arrow-go panics on some malformed ones.
func newReader(in io.Reader) (r *ipc.Reader, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed schema: %v", p)
		}
	}()
	return ipc.NewReader(in)
}

// checkedStream checks every batch in full before DuckDB reads it: offsets that point outside their buffers would crash.
type checkedStream struct {
	array.RecordReader
	file   *os.File
	failed *error
}

func (s *checkedStream) Next() (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			*s.failed, ok = malformed("the Arrow stream is malformed: %v", p), false
		}
	}()
	if *s.failed != nil {
		return false
	}
	if !s.RecordReader.Next() {
		if err := s.RecordReader.Err(); err != nil {
			*s.failed = malformed("the Arrow stream can't be read: %s", err)
		}
		return false
	}
	for i, column := range s.RecordBatch().Columns() {
		if err := validate(column); err != nil {
			*s.failed = malformed("the Arrow stream is malformed: column %q: %s", s.Schema().Field(i).Name, err)
			return false
		}
	}
	return true
}

func (s *checkedStream) Err() error { return *s.failed }

func (s *checkedStream) Release() {
	s.RecordReader.Release()
	s.file.Close()
}

// validate checks an array and all that it is made of.
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
	for _, child := range data.Children() {
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

// checkLengths tells whether the buffers of a fixed-width array are as long as its elements need.
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
