package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/published"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// copyOf returns the URI and the size of a copy of a data file that engines can read, in which all rows have their
// places: with ids in nested columns, and values in types that Iceberg has. A value that the column can't hold, which no
// live row has, is null there.
func (m *publishing) copyOf(ctx context.Context, f *catalog.File, fs schema.Schema) (address string, size int64, err error) {
	columns := own(m.columns, fs)
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = "TRY(" + snapshot.Cast(c.Type, c.As, snapshot.FromFile(fs, c.Column)) + ") AS " + duck.Ident(c.Name)
	}
	selected, ids := strings.Join(list, ", "), published.FieldIDs(columns)
	name := m.name("data", "parquet", f.Key, f.Checksum, selected, ids)
	if size, ok, err := m.has(ctx, name); err != nil || ok {
		return m.blobs.ShelfAddress(name), size, err
	}
	conn, err := m.Conn(ctx)
	if err != nil {
		return "", 0, err
	}
	defer conn.Close()
	scratch := m.blobs.Scratch("data.parquet")
	query := "SELECT " + selected + " FROM " + m.snap.ReadFiles([]*catalog.File{f})
	rows, err := datafile.CopyQuery(ctx, conn, query, scratch, datafile.PagesV1, "FIELD_IDS "+ids)
	if err == nil && rows != f.Rows {
		err = fmt.Errorf("the copy of file %d has %d rows, and not %d", f.ID, rows, f.Rows)
	}
	if err != nil {
		m.blobs.RemoveScratch(scratch)
		return "", 0, err
	}
	if size, err = m.sizeOf(scratch); err == nil {
		err = m.sync(scratch)
	}
	if err != nil {
		m.blobs.RemoveScratch(scratch)
		return "", 0, err
	}
	address, err = m.shelve(ctx, name, scratch, size)
	return address, size, err
}

// sync has a copy on the disk before it gets its name: the next start finds it by that, and does not read it.
func (m *publishing) sync(scratch string) error {
	f, err := m.blobs.OpenUnpublished(scratch)
	if err != nil {
		return err
	}
	return errors.Join(m.blobs.SyncUnpublished(f), f.Close())
}

// own returns the columns that a file has, under its names for them: so it needs no other copy when columns are added or
// renamed. If it has none, its rows still count: then it is all of them, null.
func own(columns []published.Column, fs schema.Schema) (out []published.Column) {
	for _, c := range columns {
		if in, ok := fs.ByID(c.ID); ok {
			c.Name = in.Name
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return columns
	}
	return out
}

// sizeOf is the size of a scratch file, bytes.
func (m *publishing) sizeOf(scratch string) (int64, error) {
	in, err := m.blobs.OpenUnpublished(scratch)
	if err != nil {
		return 0, err
	}
	info, err := in.Stat()
	if err = errors.Join(err, in.Close()); err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// positionRows is how many displaced rows a file of positions may have before it ends.
const positionRows = 200_000

// deletes makes the manifest of the positions that are displaced: a file of them for each chunk of rollback files, and
// for each compacted file.
func (m *publishing) deletes(ctx context.Context) ([]published.Manifest, error) {
	var files []published.File
	itself := func(f *catalog.File) *catalog.File { return f }
	for _, chunk := range chunks(m.snap.Rollbacks, itself, func(rows int64) bool { return rows >= positionRows }) {
		file, err := m.positions(ctx, chunk)
		if err != nil {
			return nil, err
		}
		if file.Rows > 0 {
			files = append(files, file)
		}
	}
	for _, p := range m.merged {
		file, err := m.dead(ctx, p)
		if err != nil {
			return nil, err
		}
		if file.Rows > 0 {
			files = append(files, file)
		}
	}
	return m.manifest(ctx, nil, published.PositionDeletes, files)
}

// dead makes a file with the rows of a compacted file that the state does not have.
func (m *publishing) dead(ctx context.Context, p mergedPart) (out published.File, err error) {
	query := m.snap.Dead(p.Part)
	if query == "" {
		return out, nil
	}
	conn, err := m.Conn(ctx)
	if err != nil {
		return out, err
	}
	defer conn.Close()
	rows := datafile.Positions{File: p.path}
	err = conn.Rows(ctx, query, func(scan duck.Scan) error {
		var row int64
		err := scan(&row)
		rows.Rows = append(rows.Rows, row)
		return err
	})
	if err != nil || len(rows.Rows) == 0 {
		return out, err
	}
	slices.Sort(rows.Rows)
	// The statement names the files that it reads and what it takes of them, so it stands for the rows. As their paths
	// are local, so is what is found by them again.
	name := m.name("deletes", "parquet", p.path, query)
	out = published.File{Rows: int64(len(rows.Rows)), Commit: m.snap.Commit.ID}
	out.Path, out.Bytes, err = m.putPositions(ctx, name, []datafile.Positions{rows})
	return out, err
}

// putPositions puts a file of positions on the shelf.
func (m *publishing) putPositions(
	ctx context.Context, name string, rows []datafile.Positions,
) (address string, size int64, err error) {
	scratch := m.blobs.Scratch("deletes.parquet")
	f, err := m.blobs.CreateScratch(scratch)
	if err != nil {
		return "", 0, err
	}
	err = errors.Join(datafile.EncodePositions(f, rows), f.Close())
	if err == nil {
		size, err = m.sizeOf(scratch)
	}
	if err != nil {
		m.blobs.RemoveScratch(scratch)
		return "", 0, err
	}
	address, err = m.shelve(ctx, name, scratch, size)
	return address, size, err
}

// positions makes a file with the positions of some rollback files in the data files of the state.
func (m *publishing) positions(ctx context.Context, rollbacks []*catalog.File) (out published.File, err error) {
	var of, paths []string
	ids := map[int64]bool{}
	for _, r := range rollbacks {
		of = append(of, r.Key, r.Checksum)
		out.Commit = max(out.Commit, r.CommitID)
		for id, rows := range r.Targets {
			if path, ok := m.paths[id]; ok {
				out.Rows += rows
				if !ids[id] {
					ids[id] = true
					paths = append(paths, fmt.Sprintf("%d %s", id, path))
				}
			}
		}
	}
	if out.Rows == 0 {
		return out, nil
	}
	slices.Sort(paths)
	name := m.name("deletes", "parquet", append(of, paths...)...)
	out.Path = m.blobs.ShelfAddress(name)
	var ok bool
	if out.Bytes, ok, err = m.has(ctx, name); err != nil || ok {
		return out, err
	}
	rows, err := m.readPositions(ctx, rollbacks)
	if err != nil {
		return out, err
	}
	_, out.Bytes, err = m.putPositions(ctx, name, rows)
	return out, err
}

// readPositions reads the positions of rollback files in the data files of the state, in the order of their URIs.
func (m *publishing) readPositions(ctx context.Context, rollbacks []*catalog.File) (out []datafile.Positions, err error) {
	at := map[int64]*datafile.Positions{}
	for id, path := range m.paths {
		at[id] = &datafile.Positions{File: path}
	}
	conn, err := m.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	for _, group := range snapshot.BySchema(rollbacks) {
		err := conn.Rows(ctx, "SELECT _file, _pos FROM "+m.snap.ReadFiles(group), func(scan duck.Scan) error {
			var file, pos int64
			err := scan(&file, &pos)
			if to := at[file]; to != nil {
				to.Rows = append(to.Rows, pos)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for _, one := range at {
		if len(one.Rows) > 0 {
			slices.Sort(one.Rows)
			out = append(out, *one)
		}
	}
	slices.SortFunc(out, func(a, b datafile.Positions) int { return strings.Compare(a.File, b.File) })
	return out, nil
}
