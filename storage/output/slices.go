package output

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
)

// Few records of many columns are read by a statement for each slice of the columns, and put beside each other here.
// What DuckDB takes for one statement on all of them grows faster than the columns: its Parquet reader prepares all of
// them once for each, and it sorts whole records.

// writeSlices writes a result that is read in slices. None of it is cut: whoever asks for that has one statement.
func writeSlices(
	ctx context.Context, conn *duck.Conn, q Query, format intake.Format, w io.Writer, scratch string,
) error {
	switch format {
	case intake.Arrow:
		return q.slicesAsArrow(ctx, conn, labelled(w, q.Columns))
	case intake.Parquet:
		return writeParquet(ctx, conn, q, newBound(w, q), scratch)
	case intake.CSV:
		return q.slicesAsCSV(ctx, conn, w)
	}
	return q.slicesAsJSON(ctx, conn, w, format == intake.JSON)
}

// beside runs the statements of all slices, and returns the columns of their results beside each other. query makes
// the statement of a slice.
func (q Query) beside(
	ctx context.Context, conn *duck.Conn, query func(Query) string,
) (arrow.RecordBatch, error) {
	var parts []arrow.RecordBatch
	defer func() {
		for _, p := range parts {
			p.Release()
		}
	}()
	for _, s := range q.Slices {
		part, err := s.batch(ctx, conn, query(s))
		if err != nil {
			return nil, err
		}
		if parts = append(parts, part); part.NumRows() != parts[0].NumRows() {
			return nil, errors.New("output: slices of a result have different rows")
		}
	}
	return duck.Beside(parts), nil
}

func (q Query) slicesAsArrow(ctx context.Context, conn *duck.Conn, w io.Writer) error {
	all, err := q.beside(ctx, conn, func(s Query) string { return s.SQL })
	if err != nil {
		return err
	}
	defer all.Release()
	return writeBatch(w, all)
}

// writeBatch writes a batch as an Arrow stream.
func writeBatch(w io.Writer, all arrow.RecordBatch) error {
	out := ipc.NewWriter(w, ipc.WithSchema(all.Schema()))
	return errors.Join(out.Write(all), out.Close())
}

// view makes the relation that the query's statement reads, until it is released.
func (q Query) view(ctx context.Context, conn *duck.Conn) (release func(), err error) {
	if q.From == nil {
		return func() {}, nil
	}
	stream, err := array.NewRecordReader(q.From.Schema(), []arrow.RecordBatch{q.From})
	if err != nil {
		return nil, err
	}
	end, err := conn.View(ctx, FromName, stream)
	if err != nil {
		stream.Release()
		return nil, err
	}
	return func() { end(); stream.Release() }, nil
}

// batch runs a statement on the relation of a slice.
func (q Query) batch(ctx context.Context, conn *duck.Conn, query string) (arrow.RecordBatch, error) {
	release, err := q.view(ctx, conn)
	if err != nil {
		return nil, err
	}
	defer release()
	return conn.Batch(ctx, query)
}

func (q Query) slicesAsCSV(ctx context.Context, conn *duck.Conn, w io.Writer) error {
	all, err := q.beside(ctx, conn, Query.csv)
	if err != nil {
		return err
	}
	defer all.Release()
	out := bufio.NewWriterSize(w, 256<<10)
	writeCSVNames(out, q.Columns)
	columns := texts(all)
	for row := range int(all.NumRows()) {
		if err := writeCSVRecord(out, columns, row); err != nil {
			return err
		}
	}
	return out.Flush()
}

func (q Query) slicesAsJSON(ctx context.Context, conn *duck.Conn, w io.Writer, asArray bool) error {
	all, err := q.beside(ctx, conn, Query.json)
	if err != nil {
		return err
	}
	defer all.Release()
	columns := texts(all)
	out := newJSONWriter(w, q.Columns, asArray)
	for row := range int(all.NumRows()) {
		fields := make([]string, len(columns))
		for i, c := range columns { // objects, which become one
			fields[i] = strings.TrimSuffix(strings.TrimPrefix(c.Value(row), "{"), "}")
		}
		if err := out.record("{" + strings.Join(fields, ",") + "}"); err != nil {
			return err
		}
	}
	return out.end()
}

// copySlices makes DuckDB write a file for each slice, and joins them.
func (q Query) copySlices(ctx context.Context, conn *duck.Conn, path string) (rows int64, err error) {
	var parts, joined []string
	defer func() {
		for _, p := range parts {
			os.Remove(p) //nolint:errcheck // the next start empties the directory
		}
	}()
	for i, s := range q.Slices {
		part, labels := fmt.Sprintf("%s.%d", path, i), ""
		if i == 0 { // the joined file has its metadata
			labels = datafile.Labels(q.Columns)
		}
		parts = append(parts, datafile.WrittenPaths(part)...)
		if rows, err = s.copySlice(ctx, conn, part, q.pages(), labels); err != nil {
			return 0, err
		}
		joined = append(joined, part)
	}
	return rows, datafile.Join(path, joined)
}

// copySlice makes DuckDB write the file of a slice.
func (q Query) copySlice(
	ctx context.Context, conn *duck.Conn, path string, pages datafile.Pages, labels string,
) (rows int64, err error) {
	release, err := q.view(ctx, conn)
	if err != nil {
		return 0, err
	}
	defer release()
	return datafile.CopyQuery(ctx, conn, q.forParquet(), path, pages, labels)
}

// texts returns the columns of a batch, which are all text.
func texts(b arrow.RecordBatch) []*array.String {
	columns := make([]*array.String, b.NumCols())
	for i := range columns {
		columns[i] = b.Column(i).(*array.String)
	}
	return columns
}
