package intake

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"rowback/storage/datafile"
	"rowback/storage/duck"
	"rowback/storage/schema"
)

// parquetRecords are the records of a Parquet file, which DuckDB reads.
type parquetRecords struct {
	scan    string
	columns []Offered
	plain   bool // see few.go
}

// openParquet reads the footer itself before DuckDB does, which would rename columns and cut values off unseen.
func openParquet(ctx context.Context, conn *duck.Conn, u Upload) (Records, error) {
	footer, err := datafile.Inspect(u.Path)
	if err != nil {
		return nil, malformed("the Parquet file can't be read: %s", err)
	}
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
	if err := plainGeometries(&u, footer); err != nil {
		return nil, err
	}
	file := "read_parquet(" + duck.Text(u.Path) + ", hive_partitioning = false"
	r := &parquetRecords{scan: file + ", file_row_number = true)"}
	if r.columns, r.plain = plainParquet(u, footer); r.plain {
		return r, nil
	}
	r.columns, err = describe(ctx, conn, file+")")
	if err != nil {
		return nil, unreadable("Parquet file", err)
	}
	for i := range r.columns {
		if i < len(footer) {
			r.columns[i].Type = footer[i].Hollow(r.columns[i].Type)
			r.columns[i].geometries(footer[i])
		}
		if t, ok := u.Types[r.columns[i].Name]; ok {
			r.columns[i].Type = t
		}
	}
	return r, nil
}

// plainGeometries makes the upload a copy in which geometries are binaries, if it has types of geometries.
func plainGeometries(u *Upload, footer []datafile.UploadColumn) error {
	if !slices.ContainsFunc(footer, func(c datafile.UploadColumn) bool { return c.Geometries }) {
		return nil
	}
	if err := os.MkdirAll(u.Parts, 0o700); err != nil {
		return err
	}
	path := filepath.Join(u.Parts, "binaries.parquet")
	err := datafile.GeometriesAsBinaries(u.Path, path)
	u.Path = path
	return err
}

// geometries sets the extension of a column as the file has it.
func (o *Offered) geometries(c datafile.UploadColumn) {
	switch isBlob := o.Type.Name == schema.Blob; {
	case c.Extension != nil && isBlob && isText(c.Extension):
		o.Extension = c.Extension
	case c.Extension != nil || c.Geometries:
		o.Lost = schema.WKB
	}
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
