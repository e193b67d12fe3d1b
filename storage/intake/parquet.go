package intake

import (
	"bytes"
	"context"
	"encoding/base64"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// parquetRecords are the records of a Parquet file, which DuckDB reads.
type parquetRecords struct {
	from    func(option string) string // the SQL of its rows
	scan    string                     // with their numbers
	columns []Offered
	plain   bool // see few.go
}

// openParquet reads the footer itself before DuckDB does, which would rename columns and cut values off unseen.
func openParquet(ctx context.Context, conn *duck.Conn, u Upload) (Records, error) {
	found, err := datafile.Inspect(u.Path)
	if err != nil {
		return nil, malformed("the Parquet file can't be read: %s", err)
	}
	footer := found.Columns
	names := make([]Offered, len(footer))
	for i, c := range footer {
		names[i].Name = c.Name
		if c.Trouble != "" {
			return nil, misshapen("column %q %s", c.Name, c.Trouble)
		}
	}
	if err := checkNames(names); err != nil { // DuckDB would rename the columns
		return nil, err
	}
	r := &parquetRecords{}
	if r.from, err = readable(ctx, conn, u, footer); err != nil {
		return nil, unreadable("Parquet file", err)
	}
	r.scan = r.from(", file_row_number = true")
	if r.columns, r.plain = plainParquet(u, footer); r.plain {
		return r, r.extend(ctx, conn, found)
	}
	r.columns, err = describe(ctx, conn, r.from(""))
	if err != nil {
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
	if u.Size > Tiny || len(u.Types) > 0 || len(footer) == 0 {
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
	return "SELECT " + aliased(r.columns, want) + "file_row_number AS _n FROM " + r.scan, func() {}, nil
}

func (r *parquetRecords) Explain(err error) error { return unreadable("Parquet file", err) }
