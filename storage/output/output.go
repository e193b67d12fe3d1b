// Package output writes the result of a query in five formats, as it arrives.
//
// Arrow and Parquet keep every type. JSON and CSV write moments as RFC 3339 (with Z where the type has a zone, without
// where it has none), binaries as base64, and integers and decimals in full; a number that is not finite is null in
// JSON. In CSV a null is an empty field and an empty text is "", so that both read back as they were.
package output

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"rowback/storage/datafile"
	"rowback/storage/duck"
	"rowback/storage/intake"
	"rowback/storage/schema"
)

// Query is a statement and the columns of its result.
type Query struct {
	SQL     string
	Columns []schema.Column
}

// Write runs a query and writes its result to w. scratch is where a file may be put meanwhile. The caller turns DuckDB's
// errors into words.
func Write(ctx context.Context, conn *duck.Conn, q Query, format intake.Format, w io.Writer, scratch string) error {
	switch format {
	case intake.Arrow:
		return writeArrow(ctx, conn, q, w)
	case intake.Parquet:
		return writeParquet(ctx, conn, q, w, scratch)
	case intake.CSV:
		return writeCSV(ctx, conn, q, w)
	case intake.JSON, intake.NDJSON:
		return writeJSON(ctx, conn, q, w, format == intake.JSON)
	}
	return fmt.Errorf("output: no format %q", format)
}

// Scratch returns the paths of files that Write may write, given a scratch path.
func Scratch(format intake.Format, scratch string) []string {
	if format != intake.Parquet {
		return nil
	}
	return datafile.WrittenPaths(scratch)
}

// batchRows is about how many rows an Arrow batch has. DuckDB's own have 2,048, too few for readers to be fast.
const batchRows = 64 << 10

func writeArrow(ctx context.Context, conn *duck.Conn, q Query, w io.Writer) error {
	r, err := conn.Stream(ctx, q.SQL)
	if err != nil {
		return err
	}
	defer r.Close()
	out := ipc.NewWriter(w, ipc.WithSchema(r.Schema()))
	if err := eachLarge(r, func(b arrow.RecordBatch) error { return out.Write(b) }); err != nil {
		return err
	}
	return out.Close()
}

// eachLarge calls f with batches of about batchRows rows.
func eachLarge(r *duck.Reader, f func(arrow.RecordBatch) error) error {
	var held []arrow.RecordBatch
	var rows int64
	flush := func() error {
		defer func() {
			for _, b := range held {
				b.Release()
			}
			held, rows = held[:0], 0
		}()
		if len(held) == 0 {
			return nil
		}
		large, err := duck.Concat(r.Schema(), held)
		if err != nil {
			return err
		}
		defer large.Release()
		return f(large)
	}
	for {
		b, err := r.Next()
		if err != nil {
			flush() //nolint:errcheck // the first error is the one to tell
			return err
		}
		if b == nil {
			return flush()
		}
		held = append(held, b)
		if rows += b.NumRows(); rows >= batchRows {
			if err := flush(); err != nil {
				return err
			}
		}
	}
}

// writeParquet lets DuckDB write a file and then sends it: a Parquet file ends with what is known last.
func writeParquet(ctx context.Context, conn *duck.Conn, q Query, w io.Writer, scratch string) error {
	defer os.Remove(scratch)
	if _, err := datafile.CopyQuery(ctx, conn, q.SQL, scratch, ""); err != nil {
		return err
	}
	f, err := os.Open(scratch)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

func writeJSON(ctx context.Context, conn *duck.Conn, q Query, w io.Writer, asArray bool) error {
	r, err := conn.Stream(ctx, "SELECT "+Record(q.Columns, nameOf)+" FROM ("+q.SQL+")")
	if err != nil {
		return err
	}
	defer r.Close()
	out := bufio.NewWriterSize(w, 256<<10)
	open, between, end := "", "\n", "\n"
	if asArray {
		open, between, end = "[", ",\n", "]\n"
	}
	out.WriteString(open)
	first := true
	if err := eachRow(r, func(columns []*array.String, i int) error {
		if !first {
			out.WriteString(between)
		}
		first = false
		_, err := out.WriteString(columns[0].Value(i)) // a bufio.Writer keeps its first error
		return err
	}); err != nil {
		return err
	}
	if asArray || !first {
		out.WriteString(end)
	}
	return out.Flush()
}

func writeCSV(ctx context.Context, conn *duck.Conn, q Query, w io.Writer) error {
	names := make([]string, len(q.Columns))
	list := make([]string, len(q.Columns))
	for i, c := range q.Columns {
		names[i] = csvField(c.Name)
		list[i] = csvValue(duck.Ident(c.Name), c.Type)
	}
	r, err := conn.Stream(ctx, "SELECT "+strings.Join(list, ", ")+" FROM ("+q.SQL+")")
	if err != nil {
		return err
	}
	defer r.Close()
	out := bufio.NewWriterSize(w, 256<<10)
	out.WriteString(strings.Join(names, ",") + "\n")
	if err := eachRow(r, func(columns []*array.String, i int) error {
		for k, c := range columns {
			if k > 0 {
				out.WriteByte(',')
			}
			if c.IsValid(i) {
				out.WriteString(csvField(c.Value(i)))
			}
		}
		return out.WriteByte('\n')
	}); err != nil {
		return err
	}
	return out.Flush()
}

// csvField quotes what needs it (RFC 4180), and the empty text, which would read as a null.
func csvField(s string) string {
	if s == "" || strings.ContainsAny(s, "\",;\t|\r\n") || s[0] == ' ' || s[len(s)-1] == ' ' {
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return s
}

// eachRow calls f for each row of a result whose columns are all text.
func eachRow(r *duck.Reader, f func(columns []*array.String, i int) error) error {
	for {
		b, err := r.Next()
		if err != nil || b == nil {
			return err
		}
		columns := make([]*array.String, b.NumCols())
		for i := range columns {
			columns[i] = b.Column(i).(*array.String)
		}
		for i := 0; i < int(b.NumRows()) && err == nil; i++ {
			err = f(columns, i)
		}
		b.Release()
		if err != nil {
			return err
		}
	}
}
