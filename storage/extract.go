package storage

import (
	"context"

	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Extract writes what a query gives to a file under staging, to be uploaded again: what becomes of the columns that it
// reads, in from. The caller removes the file. types are those of its columns of which a Parquet file can't tell all.
// The file is read by the commit that follows, and by nothing else: it is not a stored file.
func (s *Store) Extract(
	ctx context.Context, snap *snapshot.Snapshot, reads []schema.Column, types map[string]schema.Type,
	query func(from string) string,
) (u intake.Upload, rows int64, err error) {
	if err := s.Disk.room(); err != nil {
		return u, 0, err
	}
	u = intake.Upload{Format: intake.Parquet, Path: s.blobs.Scratch("extract"), Types: types}
	conn, from, err := s.openTable(ctx, snap, reads, datafile.WrittenPaths(u.Path))
	if err != nil {
		return u, 0, err
	}
	defer conn.Close()
	if rows, err = datafile.CopyQuery(ctx, conn, query(from), u.Path, datafile.PagesV2, ""); err != nil {
		return u, 0, clientsql.Explain(err)
	}
	_, u.Size, err = s.checksumOf(u.Path)
	return u, rows, err
}

// describeBrought gives columns what is said of them where their records come from: to new ones all of it, to others
// only their categories.
func (d *draft) describeBrought(columns []schema.Column) {
	for _, from := range columns {
		c, ok := d.schema.ByName(from.Name)
		if !ok || c.Derived() {
			continue
		}
		if _, was := d.head.Schema.ByID(c.ID); !was {
			c.Title, c.Description = from.Title, from.Description
			if c.Type.Equal(from.Type) {
				c.Extension = from.Extension
			}
		}
		if c.Type.Name == schema.Varchar {
			c.Categories = from.Categories
		}
		d.schema = d.schema.With(c)
	}
}
