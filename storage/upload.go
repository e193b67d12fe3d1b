package storage

import (
	"context"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// Uploads are read by processes that may die of them (package intake); what the server itself reads was written by
// those. One that is small, and JSON or a plain CSV, is read here: that code is Go's own and the upload can't make it
// take much, and a one-row commit costs half as much.

// reading is an upload that is open. close must be called, even after an error in reading.
type reading struct {
	intake.Records
	conn  *duck.Conn // for statements on its relation
	close func()
}

// Open opens an upload for statements of ours on what it holds, which run on the connection that it returns. close
// frees both.
func (r *Readers) Open(
	ctx context.Context, u intake.Upload,
) (records intake.Records, conn *duck.Conn, close func(), err error) {
	opened, err := r.open(ctx, nil, u)
	return opened.Records, opened.conn, opened.close, err
}

// open opens an upload, here if it is one that can be read on conn.
func (r *Readers) open(ctx context.Context, conn *duck.Conn, u intake.Upload) (out reading, err error) {
	if conn != nil && u.Size <= tinyUpload {
		if records, err := intake.OpenHere(ctx, u); records != nil || err != nil {
			return reading{records, conn, func() {}}, err
		}
	}
	// Everything else is read by a process of its own: what is malformed may end that, and not the server.
	if u.Body != nil {
		if err := r.blobs.WriteScratch(u.Path, u.Body); err != nil {
			return out, err
		}
		u.Body = nil
	}
	if out.conn, err = r.take(ctx); err != nil {
		return out, err
	}
	u.Parts = r.blobs.Scratch("parts")
	out.close = func() { out.conn.Close(); r.blobs.RemoveScratch(u.Parts) }
	if out.Records, err = intake.Open(ctx, out.conn, u); err != nil {
		out.close()
	}
	return out, err
}

// RewriteArrow decodes a small Arrow stream of a client's and writes it anew, to be decoded here, in at most so many
// bytes.
func (r *Readers) RewriteArrow(ctx context.Context, u intake.Upload, most int64) ([]byte, error) {
	conn, err := r.take(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return intake.Rewrite(ctx, conn, u, most)
}

// table makes the rows of a statement on an upload a temporary table of the commit's connection. query makes the
// statement, given the upload's relation. check looks at few rows before DuckDB casts them; nil: they were decoded
// strictly. Few rows come through memory, more through a file.
func (f *workspace) table(
	ctx context.Context, r reading, want intake.Want, name string, query func(from string) string,
	columns []schema.Column, check func(arrow.RecordBatch) error,
) (rows int64, err error) {
	batch, err := r.few(ctx, want, query)
	if err != nil {
		return 0, err
	}
	if batch != nil {
		defer batch.Release()
		if check != nil {
			if err := check(batch); err != nil {
				return 0, err
			}
		}
		return batch.NumRows(), tableOf(ctx, f.conn, name, batch, columns)
	}
	// A relation is read once, as JSON and Arrow are streams: what was too much to keep in memory is read anew.
	from, release, err := r.Relation(ctx, r.conn, want)
	if err != nil {
		return 0, err
	}
	defer release()
	path := f.files.blobs.Scratch("rows.parquet")
	defer f.staging.removeWritten(path)
	if _, err := datafile.CopyQuery(ctx, r.conn, query(from), path, datafile.PagesV2, ""); err != nil {
		return 0, r.Explain(err)
	}
	return f.conn.Create(ctx, createTable(name, columns, "read_parquet("+duck.Text(path)+", hive_partitioning = false)"))
}

// few is the result of a statement on the upload, which the caller releases; nil, where it is too large for memory.
func (r reading) few(ctx context.Context, want intake.Want, query func(from string) string) (arrow.RecordBatch, error) {
	from, release, err := r.Relation(ctx, r.conn, want)
	if err != nil {
		return nil, err
	}
	defer release()
	batch, err := r.conn.Few(ctx, query(from))
	return batch, r.Explain(err)
}

// createTable is the statement that makes a table of columns, cast to their types: Arrow and Parquet have JSON and
// others as text.
func createTable(name string, columns []schema.Column, from string) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = "CAST(" + duck.Ident(c.Name) + " AS " + c.Type.SQL() + ") AS " + duck.Ident(c.Name)
	}
	return "CREATE TEMP TABLE " + name + " AS SELECT " + strings.Join(list, ", ") + " FROM " + from
}

// tableOf makes a batch a temporary table, of those of its columns.
func tableOf(
	ctx context.Context, conn *duck.Conn, name string, batch arrow.RecordBatch, columns []schema.Column,
) error {
	stream, err := array.NewRecordReader(batch.Schema(), []arrow.RecordBatch{batch})
	if err != nil {
		return err
	}
	release, err := conn.View(ctx, "_batch", stream)
	if err != nil {
		stream.Release()
		return err
	}
	defer stream.Release()
	defer release()
	_, err = conn.Create(ctx, createTable(name, columns, "_batch"))
	return err
}

// uploadError turns what intake found into an *Error. Large and Lost are about this server, and may pass with other
// limits or another try; the others are about the file.
func uploadError(in *intake.Error) *fault.Error {
	var e *fault.Error
	switch {
	case in.Large:
		e = fault.Errorf(fault.TooLarge, "too_large_to_read",
			"The records can't be read: %s. Send them in parts: "+
				"Parquet with smaller row groups, Arrow in smaller batches, and a CSV of very many columns as Parquet.",
			in.Detail)
	case in.Lost:
		e = fault.Errorf(fault.Unavailable, "reader_lost",
			"The records were not read: %s. Nothing was changed; send the request again.", in.Detail)
	case in.Shape:
		e = fault.Errorf(fault.Invalid, "invalid_records", "%s", in.Detail)
	default:
		e = fault.Errorf(fault.Malformed, "malformed_body", "%s", in.Detail)
	}
	e.Cause = in.Cause
	return e
}

// tinyUpload is up to how many bytes an upload is kept in memory, or in a temporary table, instead of a file.
const tinyUpload = intake.Tiny
