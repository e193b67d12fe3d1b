package storage

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Compaction writes the rows of several files into one that readers open in their place (snapshot.Compacted). It is a
// cache: the files that it is made of remain, no state changes, and no lock is held that a commit or a reader waits
// for. A compacted file is written to staging, synced and put in its place, as a commit's files are, then recorded in
// one transaction, which also forgets those that it replaces. A crash before that leaves an object that the next start
// removes (sweep).

const compactedDir = "compacted"

// compactedName is the file in the directory of a compacted file.
const compactedName = "rows.parquet"

func compactedKey(dataset string, id int64) string {
	return dataset + "/" + compactedDir + "/" + strconv.FormatInt(id, 10)
}

// Compacted is what compaction did, or would do.
type Compacted struct {
	Made  int   `json:"files_made"`
	Files int   `json:"files_read"`
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"` // of the files made, or, before they are, of those to be read

	Filters int `json:"key_filters"` // made
}

func (c *Compacted) add(more Compacted) {
	c.Made, c.Files, c.Rows, c.Bytes = c.Made+more.Made, c.Files+more.Files, c.Rows+more.Rows, c.Bytes+more.Bytes
}

// compact makes one compacted file of those of a state.
func (u *Upkeep) compact(ctx context.Context, s *snapshot.Snapshot, c compaction) (*catalog.Compacted, error) {
	if err := u.halted(); err != nil {
		return nil, err
	}
	made, batch, err := u.write(ctx, s, c)
	if batch != nil {
		defer batch.Discard()
	}
	if err != nil {
		return nil, err
	}
	unlock, err := u.compacted.place(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := batch.Publish(); err != nil {
		return nil, errors.Join(err, u.blobs.TakeBack(path.Dir(made.Key)))
	}
	return made, u.record(context.WithoutCancel(ctx), made, c)
}

// write writes a compacted file to staging.
func (u *Upkeep) write(
	ctx context.Context, s *snapshot.Snapshot, c compaction,
) (made *catalog.Compacted, batch *blob.Batch, err error) {
	id, err := u.catalog.Draw(ctx, "", catalog.CompactedIDs, 1)
	if err != nil {
		return nil, nil, err
	}
	if batch, err = u.blobs.Batch(compactedKey(s.Dataset.ID, id)); err != nil {
		return nil, batch, err
	}
	made = &catalog.Compacted{Family: s.Dataset.FamilyID, Sources: ids(c.sources), Without: ids(c.without)}
	made.File = catalog.File{
		ID: id, DatasetID: s.Dataset.ID, CommitID: s.Commit.ID, Kind: c.kind, Key: batch.Key(compactedName),
		SchemaID: c.parts[0].SchemaID,
	}
	file := batch.Path(compactedName)
	if made.Rows, err = u.copyRows(ctx, s, c, made, file); err != nil {
		return nil, batch, err
	}
	if made.Rows != c.rows {
		return nil, batch, fmt.Errorf("the files to be compacted have %d rows; the catalog says %d", made.Rows, c.rows)
	}
	made.Checksum, made.Bytes, err = u.staging.checksumOf(file)
	return made, batch, err
}

// copyRows writes the rows of a compacted file to a path.
func (u *Upkeep) copyRows(
	ctx context.Context, s *snapshot.Snapshot, c compaction, made *catalog.Compacted, file string,
) (rows int64, err error) {
	conn, err := u.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	query := s.Gathered(c.parts, c.kind, c.without)
	if len(c.without) > 0 && c.rows <= snapshot.Sortable { // a join gives rows in no fixed order
		query += " ORDER BY _file, _pos"
	}
	columns := s.SchemaOf(c.parts[0].File).Stored()
	plain, err := needPlain(ctx, conn, query, columns, c.rows)
	if err != nil {
		return 0, err
	}
	return datafile.Copy(ctx, conn, query, file, datafile.Spec{
		Kind: c.kind, Dataset: made.DatasetID, Commit: made.CommitID, File: made.ID, Columns: columns, Pages: u.pages,
		Plain: plain,
	})
}

// needPlain reports whether rows must be written without dictionaries, to keep the sign of zeros. A large file is read
// for that, as it is several times the size without them.
func needPlain(
	ctx context.Context, conn *duck.Conn, query string, columns []schema.Column, rows int64,
) (plain bool, err error) {
	signs := []string{"false"}
	for _, c := range columns {
		switch {
		case !hasFloats(c.Type):
		case c.Type.Nested() || rows <= wornSmall:
			return true, nil
		default:
			name := duck.Ident(c.Name)
			signs = append(signs, name+" = 0 AND signbit("+name+")")
		}
	}
	if len(signs) == 1 {
		return false, nil
	}
	sql := duck.Fill(anySign, duck.Parts{"signs": strings.Join(signs, " OR "), "rows": query})
	err = conn.Row(ctx, sql, &plain)
	return plain, err
}

const anySign = `SELECT coalesce(bool_or({signs}), false) FROM ({rows})`

// hasFloats reports whether a type is a floating-point number or has one inside.
func hasFloats(t schema.Type) bool {
	if t.Name == schema.Float || t.Name == schema.Double {
		return true
	}
	return t.Key != nil && hasFloats(*t.Key) || t.Elem != nil && hasFloats(*t.Elem) ||
		slices.ContainsFunc(t.Fields, func(f schema.Field) bool { return hasFloats(f.Type) })
}

// replacedBy returns the compacted files that one takes the place of: those it is made of.
func replacedBy(c compaction) (out []*catalog.Compacted) {
	for _, p := range c.parts {
		if p.Compacted != nil && !slices.Contains(out, p.Compacted) {
			out = append(out, p.Compacted)
		}
	}
	return out
}

// record records a compacted file, and forgets those that it replaces. Their objects stay for a while, since statements
// that name them may be about to open them.
func (u *Upkeep) record(ctx context.Context, made *catalog.Compacted, c compaction) error {
	replaced := replacedBy(c)
	err := u.catalog.Write(ctx, func(tx catalog.Tx) error {
		if err := stillThere(tx, slices.Concat(c.sources, c.without)); err != nil {
			return err
		}
		for _, old := range replaced {
			if err := tx.RemoveCompacted(old.ID); err != nil && !errors.Is(err, catalog.ErrNotFound) {
				return err
			}
		}
		return errors.Join(tx.AddCompacted(made), tx.Advance(catalog.CompactedIDs, made.ID))
	})
	if err != nil {
		// Where it is not known whether the transaction stands, the object must: a start removes it if need be.
		if !errors.Is(err, catalog.ErrUncertain) {
			err = errors.Join(err, u.blobs.TakeBack(path.Dir(made.Key)))
		}
		return err
	}
	for _, old := range replaced {
		u.retired = append(u.retired, retired{path.Dir(old.Key), u.now()})
	}
	return u.compacted.refresh(ctx, made.Family)
}

// errBusy is for upkeep that is asked for while some runs.
var errBusy = fault.Errorf(fault.Unavailable, "upkeep_running",
	"Upkeep is running already. Ask again when it is done, or leave it to the server.")

// sameCompaction reports whether two compactions would make the same file.
func sameCompaction(a, b compaction) bool {
	return a.kind == b.kind && slices.Equal(ids(a.sources), ids(b.sources)) &&
		slices.Equal(ids(a.without), ids(b.without))
}
