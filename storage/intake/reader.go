package intake

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// A reader process decodes uploads in place of the server: a client's bytes that crash a decoder end only that process.
// It is this program, started under another name, with its own DuckDB instance and a memory limit.

// ReaderName is the name under which reader processes are started.
const ReaderName = "rowback-reader"

// ServeReader runs the program as a reader process if it was started as one, and then does not return. Every program
// that opens a store, including tests, must call it first in its main function.
func ServeReader() { duck.ServeChild(ReaderName, new(desk).answer) }

// call is a request to a reader process besides statements. One of its fields is set.
type call struct {
	Open    *Upload
	Impose  *imposition
	Relate  *Want
	Failure bool // return the error of the last reading
	Few     bool // return all records, which are plain and few
	Rewrite *Upload
	Most    int64 // limit on the result of Rewrite, in bytes
}

// imposer is implemented by records that may offer a column in several types.
type imposer interface {
	Impose(i int, stored schema.Type)
}

// imposition asks for a column in the form that its stored type needs: see jsonRecords.Impose.
type imposition struct {
	Column int
	Stored schema.Type
}

// reply is the answer to a call.
type reply struct {
	Columns []Offered // after Open and Impose
	Notes   []string  // after Open
	Long    string    // after Open: see csvRecords.Long
	Plain   bool      // after Open: whether Few may be called
	SQL     string    // of Relate
	Stream  []byte    // of Rewrite and Few
	Err     *Error    // if the upload is at fault
}

// desk holds the upload that a reader process is reading.
type desk struct {
	records Records
	upload  Upload
	release func()
}

// answer is the process's Handler.
func (d *desk) answer(conn *duck.Conn, text []byte) ([]byte, error) {
	if text == nil {
		d.clear()
		return nil, nil
	}
	var c call
	if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&c); err != nil {
		return nil, err
	}
	r, err := d.do(context.Background(), conn, c)
	if err != nil && !errors.As(err, &r.Err) {
		return nil, err
	}
	var out bytes.Buffer
	err = gob.NewEncoder(&out).Encode(r)
	return out.Bytes(), err
}

// free releases the relation of the last Relate.
func (d *desk) free() {
	if d.release != nil {
		d.release()
		d.release = nil
	}
}

// clear releases all that belongs to the upload.
func (d *desk) clear() {
	d.free()
	*d = desk{}
}

// do carries out a call on the upload that lies on the desk.
func (d *desk) do(ctx context.Context, conn *duck.Conn, c call) (r reply, err error) {
	switch {
	case c.Open != nil:
		d.upload = *c.Open
		if d.records, err = open(ctx, conn, d.upload); err == nil {
			r.Columns, r.Notes, r.Long = d.records.Columns(), NotesOf(d.records), LongOf(d.records)
			r.Plain = isPlain(d.records)
		}
	case c.Impose != nil:
		d.records.(imposer).Impose(c.Impose.Column, c.Impose.Stored)
		r.Columns = d.records.Columns()[c.Impose.Column : c.Impose.Column+1]
	case c.Relate != nil:
		d.free()
		r.SQL, d.release, err = d.records.Relation(ctx, conn, *c.Relate)
	case c.Failure:
		if f, ok := d.records.(interface{ failure() error }); ok {
			err = f.failure()
		}
	case c.Few:
		r.Stream = d.records.(plainRecords).few(ctx, conn)
	case c.Rewrite != nil:
		r.Stream, err = rewrite(*c.Rewrite, c.Most)
	}
	return r, err
}
