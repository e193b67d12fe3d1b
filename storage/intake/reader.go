package intake

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"

	"rowback/storage/duck"
	"rowback/storage/schema"
)

// A reader process reads uploads in place of the server: whatever a client's bytes do to a decoder, at most that process
// dies of it. It is this program, started under another name, with a DuckDB instance of its own. Its memory is bounded.

// ReaderName is the name that reader processes are started under.
const ReaderName = "rowback-reader"

// ServeReader makes the program a reader process, if it was started as one, and does not return then. Every program that
// opens a store, tests too, calls it first thing in its main function.
func ServeReader() { duck.ServeChild(ReaderName, new(desk).answer) }

// call is what a reader process is asked beside statements: one of its fields.
type call struct {
	Open    *Upload
	Impose  *imposition
	Relate  *Want
	Failure bool // what did the last reading meet?
	Few     bool // of all records
	Rewrite *Upload
	Most    int64 // bytes of what Rewrite makes
}

// imposition asks for the values of a column as they are written.
type imposition struct {
	Column int
	Stored schema.Type
}

// reply answers a call.
type reply struct {
	Columns []Offered // after Open and Impose
	Plain   bool      // after Open: Few may be asked
	SQL     string    // of Relate
	Stream  []byte    // of Rewrite and Few
	Err     *Error    // what is wrong with the upload
}

// desk is where a reader process has the upload that it reads.
type desk struct {
	records Records
	upload  Upload
	release func()
}

// answer is the process's Handler.
func (d *desk) answer(conn *duck.Conn, asked []byte) ([]byte, error) {
	if asked == nil {
		d.clear()
		return nil, nil
	}
	var c call
	if err := gob.NewDecoder(bytes.NewReader(asked)).Decode(&c); err != nil {
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

// free frees what the last Relate made readable.
func (d *desk) free() {
	if d.release != nil {
		d.release()
		d.release = nil
	}
}

// clear leaves the desk as it was before the upload.
func (d *desk) clear() {
	d.free()
	*d = desk{}
}

func (d *desk) do(ctx context.Context, conn *duck.Conn, c call) (r reply, err error) {
	switch {
	case c.Open != nil:
		d.upload = *c.Open
		if d.records, err = open(ctx, conn, d.upload); err == nil {
			r.Columns = d.records.Columns()
			r.Plain = isPlain(d.records)
		}
	case c.Impose != nil:
		d.records.(*jsonRecords).Impose(c.Impose.Column, c.Impose.Stored)
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
