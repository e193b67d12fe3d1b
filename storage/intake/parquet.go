package intake

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// parquetRecords are the records of a Parquet file, or of several with the same columns, which DuckDB reads.
type parquetRecords struct {
	from    func(option string) string // the SQL of the rows
	scan    string                     // with their numbers
	number  string                     // the SQL of a row's number among all
	columns []Offered
	plain   bool     // see few.go
	parts   []string // the paths of files with some of the columns each; none, if the file was not split
}

// openParquet reads the footers itself before DuckDB does, which would rename columns and cut values off unseen.
func openParquet(ctx context.Context, conn *duck.Conn, u Upload) (Records, error) {
	found, starts, err := inspectAll(u)
	if err != nil {
		return nil, err
	}
	footer := found.Columns
	r := &parquetRecords{number: rowNumber(starts)}
	paths, from, err := readable(ctx, conn, u, footer)
	if err != nil {
		return nil, unreadable("Parquet file", err)
	}
	r.from = from
	r.scan = r.from(", file_row_number = true")
	if r.columns, r.plain = plainParquet(u, footer); r.plain {
		return r, r.extend(ctx, conn, found)
	}
	if err := r.split(u, paths, len(footer)); err != nil {
		return nil, err
	}
	if r.columns, err = r.describe(ctx, conn); err != nil {
		return nil, unreadable("Parquet file", err)
	}
	for i := range r.columns {
		if i < len(footer) {
			r.columns[i].Type = footer[i].Hollow(r.columns[i].Type)
		}
		if t, ok := u.Types[r.columns[i].Name]; ok {
			r.columns[i].Type = t
		}
	}
	return r, r.extend(ctx, conn, found)
}

// ParquetPart is how many columns a part of a Parquet file of very many columns has. DuckDB looks through all columns of
// a file for each statement on it, and there is one for every few.
const ParquetPart = 1000

// splitBytes is the largest Parquet file that is split. Of a larger one, its values are what takes the time, and all
// threads read them; parts that are put beside each other are read by one.
const splitBytes = 64 << 20

// split divides a file of very many columns. One that can't be divided is read as it is.
func (r *parquetRecords) split(u Upload, paths []string, columns int) error {
	if columns <= ParquetPart || len(paths) != 1 || u.Parts == "" || u.Size > splitBytes {
		return nil
	}
	if err := os.MkdirAll(u.Parts, 0o700); err != nil {
		return err
	}
	parts, err := datafile.Split(paths[0], u.Parts, ParquetPart)
	if err == nil {
		r.parts = parts
		return nil
	}
	if disk := new(fs.PathError); errors.As(err, &disk) {
		return err
	}
	return nil
}

// describe returns the columns as DuckDB sees them.
func (r *parquetRecords) describe(ctx context.Context, conn *duck.Conn) (out []Offered, err error) {
	if r.parts == nil {
		return describe(ctx, conn, r.from(""))
	}
	for _, part := range r.parts {
		found, err := describe(ctx, conn, scanParquet([]string{part}, ""))
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// extend gives the columns what the file says of them besides their types: of geometries, and in the Arrow schema that
// it was written with.
func (r *parquetRecords) extend(ctx context.Context, conn *duck.Conn, file datafile.UploadFile) error {
	fields := fieldsOf(file.Arrow)
	if len(fields) != len(r.columns) {
		fields = make([]arrow.Field, len(r.columns))
	}
	geometries := map[string]*schema.Extension{}
	for i, c := range file.Columns {
		geometries[c.Name] = c.Extension
		if inside := c.Geometries && c.Extension == nil; inside && i < len(r.columns) {
			r.columns[i].Lost = schema.WKB
		}
	}
	return extend(ctx, conn, r.columns, fields, geometries)
}

// fieldsOf returns the fields of an Arrow schema in base64; none, if it can't be read: a file is complete without it.
func fieldsOf(text string) []arrow.Field {
	message, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(message) == 0 {
		return nil
	}
	in, err := newReader(bytes.NewReader(message), int64(len(message)))
	if err != nil {
		return nil
	}
	defer in.Release()
	return in.Schema().Fields()
}

// plainParquet returns the columns of a small file whose types are all plain.
func plainParquet(u Upload, footer []datafile.UploadColumn) (columns []Offered, ok bool) {
	if u.Size > Tiny || len(u.Types) > 0 || len(footer) == 0 || len(u.files()) > 1 {
		return nil, false
	}
	for _, c := range footer {
		if c.Plain == "" {
			return nil, false
		}
		columns = append(columns, Offered{Name: c.Name, Type: schema.Of(c.Plain)})
	}
	return columns, true
}

func (r *parquetRecords) Columns() []Offered { return r.columns }

func (r *parquetRecords) Relation(_ context.Context, _ *duck.Conn, want Want) (string, func(), error) {
	from := r.scan + " s"
	if r.parts != nil {
		from = r.partsWith(want.Columns)
	}
	return "SELECT " + aliased(r.columns, want) + r.number + " AS _n FROM " + from, func() {}, nil
}

// partsWith is the SQL of the rows of the parts that have some columns, with their numbers.
func (r *parquetRecords) partsWith(columns []int) string {
	used := []int{}
	for _, i := range columns {
		if part := i / ParquetPart; !slices.Contains(used, part) {
			used = append(used, part)
		}
	}
	if len(used) == 0 {
		used = []int{0}
	}
	scans := []string{scanParquet(r.parts[used[0]:used[0]+1], ", file_row_number = true") + " s"}
	for _, part := range used[1:] {
		scans = append(scans, scanParquet(r.parts[part:part+1], ""))
	}
	return strings.Join(scans, " POSITIONAL JOIN ")
}

func (r *parquetRecords) Explain(err error) error { return unreadable("Parquet file", err) }
