//go:build duckdb_arrow

package duck

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// source is a result that can be read while it is being computed.
type source interface {
	// Schema describes the batches.
	Schema() *arrow.Schema
	// Next returns the next batch, which the caller releases, or nil at the end.
	Next() (arrow.RecordBatch, error)
	// Close ends the statement, finished or not.
	Close()
}

// Reader is a result that can be read while it is being computed, in batches of about 65,536 rows or 8 MiB, whichever
// is less. Close must be called before the connection is used again; closed early, it ends a sandbox's process.
type Reader struct{ source }

// All reads the rest of the result as one batch, which the caller releases. It is for results known to be small.
func (r *Reader) All() (arrow.RecordBatch, error) {
	var batches []arrow.RecordBatch
	defer func() { release(batches) }()
	for {
		b, err := r.Next()
		if err != nil {
			return nil, err
		}
		if b == nil {
			return Concat(r.Schema(), batches)
		}
		batches = append(batches, b)
	}
}

// Records returns the rest of the result as an Arrow record reader. Close still ends the statement.
func (r *Reader) Records() array.RecordReader { return &records{reader: r} }

// records is a Reader in the form that arrow-go expects. The Reader, not the reference count, owns the statement.
type records struct {
	reader *Reader
	batch  arrow.RecordBatch
	err    error
}

func (r *records) Retain()                        {}
func (r *records) Release()                       { r.drop() }
func (r *records) Schema() *arrow.Schema          { return r.reader.Schema() }
func (r *records) RecordBatch() arrow.RecordBatch { return r.batch }
func (r *records) Record() arrow.RecordBatch      { return r.batch }
func (r *records) Err() error                     { return r.err }

func (r *records) Next() bool {
	r.drop()
	if r.err != nil {
		return false
	}
	r.batch, r.err = r.reader.Next()
	return r.batch != nil && r.err == nil
}

func (r *records) drop() {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
}

// Batches are joined until they reach one of these sizes. DuckDB's own have 2,048 rows, too few for readers to be fast.
const (
	batchRows  = 64 << 10
	batchBytes = 8 << 20
)

// large joins the batches of a source into large ones.
type large struct {
	source
	most  int64 // bytes at which a batch ends
	ended bool
	err   error // that ended it, returned after the batches before it
}

func enlarged(s source, most int64) source { return &large{source: s, most: most} }

func (l *large) Next() (arrow.RecordBatch, error) {
	var batches []arrow.RecordBatch
	defer func() { release(batches) }()
	var rows, bytes int64
	for !l.ended && rows < batchRows && bytes < l.most {
		b, err := l.source.Next()
		if err != nil || b == nil {
			l.ended, l.err = true, err
			break
		}
		batches = append(batches, b)
		rows += b.NumRows()
		bytes += SizeOf(b)
	}
	if len(batches) == 0 {
		return nil, l.err
	}
	return Concat(l.Schema(), batches)
}

func release(batches []arrow.RecordBatch) {
	for _, b := range batches {
		b.Release()
	}
}

// SizeOf returns the bytes in the buffers of a batch, of which a slice may use only a part.
func SizeOf(b arrow.RecordBatch) (bytes int64) {
	for _, c := range b.Columns() {
		bytes += int64(c.Data().SizeInBytes())
	}
	return bytes
}
