package intake

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// remote are records in a reader process. Their relation is valid on the connection to that process only.
type remote struct {
	ctx     context.Context // of the request that reads them
	conn    *duck.Conn
	upload  Upload
	columns []Offered
	notes   []string
	long    string
	failed  error // of Impose, which can't return it
}

// openRemote has the process behind the connection open the upload.
func openRemote(ctx context.Context, conn *duck.Conn, u Upload) (Records, error) {
	r := &remote{ctx: ctx, conn: conn, upload: u}
	reply, err := r.call(ctx, call{Open: &u})
	r.columns, r.notes, r.long = reply.Columns, reply.Notes, reply.Long
	if reply.Plain {
		return plainRemote{r}, err
	}
	return r, err
}

// call sends a call to the reader process.
func (r *remote) call(ctx context.Context, c call) (out reply, err error) {
	var text bytes.Buffer
	if err := gob.NewEncoder(&text).Encode(c); err != nil {
		return out, err
	}
	answer, err := r.conn.Call(ctx, text.Bytes())
	if err != nil {
		return out, r.refused(err, c.Open != nil || c.Rewrite != nil)
	}
	if err := gob.NewDecoder(bytes.NewReader(answer)).Decode(&out); err != nil {
		return out, err
	}
	if out.Err != nil {
		return out, out.Err
	}
	return out, nil
}

func (r *remote) Columns() []Offered { return r.columns }

func (r *remote) Notes() []string { return r.notes }

func (r *remote) Long() string { return r.long }

// Impose asks the process to adapt a column of JSON or a sheet to its stored type, if that differs from the type found.
func (r *remote) Impose(i int, stored schema.Type) {
	adapts := r.upload.Format == JSON || r.upload.Format == NDJSON || r.upload.Format == XLSX
	if !adapts || stored.Name == "" || stored.Equal(r.columns[i].Type) || r.failed != nil {
		return
	}
	out, err := r.call(r.ctx, call{Impose: &imposition{i, stored}})
	if r.failed = err; err == nil {
		r.columns[i] = out.Columns[0]
	}
}

// Relation has the process register the upload in its own DuckDB, and returns the SQL that reads it there.
func (r *remote) Relation(ctx context.Context, _ *duck.Conn, want Want) (string, func(), error) {
	if r.failed != nil {
		return "", nil, r.failed
	}
	out, err := r.call(ctx, call{Relate: &want})
	if err != nil {
		return "", nil, err
	}
	return out.SQL, func() {}, nil // the process frees it before the next one, and when it is given back
}

// Explain asks the process for the error of the reading itself.
func (r *remote) Explain(err error) error {
	if err == nil {
		return nil
	}
	if refused := r.refused(err, false); refused != err {
		return refused
	}
	var found *Error
	if _, failure := r.call(r.ctx, call{Failure: true}); errors.As(failure, &found) {
		return found
	}
	if r.upload.Format == CSV {
		return csvError(err)
	}
	return unreadable(nouns[r.upload.Format], err)
}

// nouns are what messages call uploads of each format.
var nouns = map[Format]string{
	Arrow: "Arrow stream", Parquet: "Parquet file", CSV: "CSV", JSON: "JSON", NDJSON: "JSON", XLSX: "workbook",
}

// refused returns the *Error for an upload that its reader process, or DuckDB inside it, did not survive; other errors
// as they are. opening says that it was reading a schema or footer: running out of memory there means absurd sizes in
// it, not a large upload.
func (r *remote) refused(err error, opening bool) error {
	var ended *duck.Ended
	what := nouns[r.upload.Format]
	isEnded := errors.As(err, &ended)
	binary := r.upload.Format == Arrow || r.upload.Format == Parquet
	switch {
	// What is malformed in text is found by parsing it and ends no process, so the body is not to blame.
	case isEnded && (ended.Killed() || !binary && duck.CauseOf(err) == duck.Crash):
		return &Error{Detail: "the process that read the " + what + " was ended", Lost: true, Cause: err}
	case duck.CauseOf(err) == duck.OutOfMemory && !(opening && binary):
		return &Error{Detail: "reading the " + what + " takes more memory than one upload may have", Large: true, Cause: err}
	case isEnded, duck.IsFatal(err), duck.CauseOf(err) == duck.OutOfMemory:
		return &Error{Detail: "the " + what + " can't be read: it is malformed", Cause: err}
	}
	return err
}
