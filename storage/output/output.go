// Package output writes the result of a query in five formats, while it is being computed. Arrow and Parquet keep every
// type. JSON and CSV write timestamps as RFC 3339 (with Z if the type has a zone, without if it has none), binaries as
// base64, and integers and decimals in full. In JSON a number that is not finite is null, and a decimal with 38 digits
// after the point is text. In CSV a null is an empty field and an empty text is "", so that both can be read back.
package output

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// Query is a statement and the columns of its result.
type Query struct {
	// Slices are read in place of SQL, for few rows of many columns: each has some of the columns of the same rows, in the
	// same order. None has parameters or limits, and nor has the query. All of the rows are held in memory.
	Slices []Query

	Result arrow.RecordBatch // the result, where it was read already; nil: the statements compute it
	From   arrow.RecordBatch // what SQL reads as the relation FromName; nil: nothing

	SQL     string
	Columns []schema.Column
	Params  []duck.Param
	Limit   *int64         // the most rows to write; nil: all
	Bytes   int64          // about the most bytes to write; 0: any number
	Pages   datafile.Pages // of Parquet; 0: version 1, in which every reader can skip rows
}

// Of is a query whose result was read already.
func Of(result arrow.RecordBatch, columns []schema.Column, pages datafile.Pages) Query {
	return Query{Result: result, From: result, SQL: "SELECT * FROM " + FromName, Columns: columns, Pages: pages}
}

// FromName is how a statement names what it reads of Query.From.
const FromName = "_rows"

// limited returns the statement with a limit of one row more than are written, which shows whether the result is cut.
func (q Query) limited() string {
	if q.Limit == nil || *q.Limit == math.MaxInt64 {
		return q.SQL
	}
	return fmt.Sprintf("SELECT * FROM (%s) LIMIT %d", q.SQL, *q.Limit+1)
}

// Write runs a query, writes its result to w, and returns why the result ends early, if it does. scratch is a path for
// temporary files: see Scratch. Errors of DuckDB are returned as they are, for the caller to explain.
func Write(
	ctx context.Context, conn *duck.Conn, q Query, format intake.Format, w io.Writer, scratch string,
) (Cut, error) {
	if err := CheckTypes(q.Columns, format); err != nil {
		return Whole, err
	}
	if q.Result != nil && format == intake.Arrow {
		return Whole, writeBatch(labelled(w, q.Columns), q.Result)
	}
	if len(q.Slices) > 0 {
		return Whole, writeSlices(ctx, conn, q, format, w, scratch)
	}
	release, err := q.view(ctx, conn)
	if err != nil {
		return Whole, err
	}
	defer release()
	out := newBound(w, q)
	switch format {
	case intake.Arrow:
		err = conn.WriteArrow(ctx, labelled(w, q.Columns), &out.Bound, q.limited(), q.Params...)
	case intake.Parquet:
		err = writeParquet(ctx, conn, q, out, scratch)
	case intake.CSV:
		err = writeCSV(ctx, conn, q, out)
	case intake.JSON, intake.NDJSON:
		err = writeJSON(ctx, conn, q, out, format == intake.JSON)
	default:
		err = fmt.Errorf("output: no format %q", format)
	}
	return out.Cut, err
}

// Scratch returns the paths of the files that Write may write for a given scratch path.
func Scratch(format intake.Format, scratch string) []string {
	if format != intake.Parquet {
		return nil
	}
	return append(datafile.WrittenPaths(scratch), scratch+wholeSuffix)
}

// wholeSuffix is appended to the name of a Parquet file before it is cut.
const wholeSuffix = ".whole"

// announced is a writer that is told before the first byte how many there are, and why the result is cut, if both are
// known by then.
type announced interface{ Announce(size int64, cut string) }

// writeParquet makes DuckDB write a file, then copies it to w. It can't stream, because the footer comes last.
func writeParquet(ctx context.Context, conn *duck.Conn, q Query, w *bound, scratch string) error {
	defer func() {
		for _, path := range Scratch(intake.Parquet, scratch) { // a killed sandbox leaves a partial file
			os.Remove(path)
		}
	}()
	rows, err := q.CopyTo(ctx, conn, scratch)
	if err != nil {
		return err
	}
	if w.Take(rows); w.Cut == AtLimit {
		if err := q.cutParquet(ctx, conn, scratch); err != nil {
			return err
		}
	}
	f, err := os.Open(scratch)
	if err != nil {
		return err
	}
	defer f.Close()
	about, err := f.Stat()
	if err != nil || about.Size() > w.Bytes {
		return errors.Join(err, ErrTooLarge)
	}
	if to, ok := w.Writer.(announced); ok {
		to.Announce(about.Size(), string(w.Cut))
	}
	_, err = io.Copy(w, f)
	return err
}

// CopyTo makes DuckDB write the result to a Parquet file, and returns the number of its rows.
func (q Query) CopyTo(ctx context.Context, conn *duck.Conn, path string) (rows int64, err error) {
	if len(q.Slices) > 0 {
		return q.copySlices(ctx, conn, path)
	}
	return datafile.CopyQuery(ctx, conn, q.forParquet(), path, q.pages(), q.options(), q.Params...)
}

// options returns the options of COPY that write a Parquet file.
func (q Query) options() string {
	options := []string{datafile.Labels(q.Columns), datafile.Dictionaries(q.Columns)}
	return strings.Join(slices.DeleteFunc(options, func(one string) bool { return one == "" }), ", ")
}

// pages returns the version of the pages of a Parquet file.
func (q Query) pages() datafile.Pages { return cmp.Or(q.Pages, datafile.PagesV1) }

// cutParquet rewrites a file with its first rows only.
func (q Query) cutParquet(ctx context.Context, conn *duck.Conn, path string) error {
	whole := path + wholeSuffix
	defer os.Remove(whole)
	if err := os.Rename(path, whole); err != nil {
		return err
	}
	query := fmt.Sprintf("FROM read_parquet(%s, hive_partitioning = false) LIMIT %d", duck.Text(whole), *q.Limit)
	_, err := datafile.CopyQuery(ctx, conn, query, path, q.pages(), datafile.Labels(q.Columns))
	return err
}

// json returns the statement of the text of each record.
func (q Query) json() string {
	return "SELECT " + Record(q.Columns, nameOf) + " FROM (" + q.limited() + ")"
}

// writeJSON writes a JSON array, or NDJSON. DuckDB makes the text of each record.
func writeJSON(ctx context.Context, conn *duck.Conn, q Query, w *bound, asArray bool) error {
	r, err := conn.Stream(ctx, q.json(), q.Params...)
	if err != nil {
		return err
	}
	defer r.Close()
	out := newJSONWriter(w, q.Columns, asArray)
	if err := eachRow(r, w, func(columns []*array.String, i int) error {
		return out.record(columns[0].Value(i))
	}); err != nil {
		return err
	}
	return out.end()
}

// jsonWriter writes records as a JSON array, or as NDJSON.
type jsonWriter struct {
	out           *bufio.Writer
	between, last string
	doubtful      bool // a text of a record may not be strict JSON
	started       bool
}

func newJSONWriter(w io.Writer, columns []schema.Column, asArray bool) *jsonWriter {
	doubtful := slices.ContainsFunc(columns, func(c schema.Column) bool { return hasJSON(c.Type) })
	out := &jsonWriter{out: bufio.NewWriterSize(w, 256<<10), between: "\n", doubtful: doubtful}
	if asArray {
		out.between, out.last = ",\n", "]\n"
		out.out.WriteString("[")
	}
	return out
}

// record writes a record. The buffer keeps its first error, and returns it again.
func (w *jsonWriter) record(text string) error {
	if w.started {
		w.out.WriteString(w.between)
	}
	w.started = true
	if w.doubtful {
		text = strict(text)
	}
	_, err := w.out.WriteString(text)
	return err
}

func (w *jsonWriter) end() error {
	if w.last == "" && w.started {
		w.last = "\n"
	}
	w.out.WriteString(w.last)
	return w.out.Flush()
}

// csv returns the statement of the text of each value.
func (q Query) csv() string {
	list := make([]string, len(q.Columns))
	for i, c := range q.Columns {
		list[i] = csvValue(duck.Ident(c.Name), c.Type)
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM (" + q.limited() + ")"
}

func writeCSV(ctx context.Context, conn *duck.Conn, q Query, w *bound) error {
	r, err := conn.Stream(ctx, q.csv(), q.Params...)
	if err != nil {
		return err
	}
	defer r.Close()
	out := bufio.NewWriterSize(w, 256<<10)
	writeCSVNames(out, q.Columns)
	if err := eachRow(r, w, func(columns []*array.String, i int) error {
		return writeCSVRecord(out, columns, i)
	}); err != nil {
		return err
	}
	return out.Flush()
}

func writeCSVNames(out *bufio.Writer, columns []schema.Column) {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = csvField(c.Name)
	}
	out.WriteString(strings.Join(names, ",") + "\n")
}

// writeCSVRecord writes a row of columns of text.
func writeCSVRecord(out *bufio.Writer, columns []*array.String, row int) error {
	for k, c := range columns {
		if k > 0 {
			out.WriteByte(',')
		}
		if c.IsValid(row) {
			out.WriteString(csvField(c.Value(row)))
		}
	}
	return out.WriteByte('\n')
}

// csvField quotes a field if necessary (RFC 4180), and also the empty text, which would otherwise read as null.
func csvField(s string) string {
	if s == "" || strings.ContainsAny(s, "\",;\t|\r\n") || s[0] == ' ' || s[len(s)-1] == ' ' {
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return s
}

// eachRow calls f for each row of a result whose columns are all text, up to w's bound.
func eachRow(r *duck.Reader, w *bound, f func(columns []*array.String, i int) error) error {
	for {
		b, err := r.Next()
		if err != nil || b == nil {
			return err
		}
		rows, columns := int(w.Take(b.NumRows())), texts(b)
		for i := 0; i < rows && err == nil; i++ {
			err = f(columns, i)
		}
		b.Release()
		if err != nil || w.Cut != Whole {
			return err
		}
	}
}
