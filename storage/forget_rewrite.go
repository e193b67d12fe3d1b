package storage

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	"slices"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// rewriter writes files of a family anew, without rows that go.
type rewriter struct {
	*Removals
	family  string
	key     string // of the directory of the new files
	batch   *blob.Batch
	files   []*catalog.File
	removal *removal
	lost    map[int64]loss      // by the id of the file
	written map[int64]rewritten // by the id of the file
	parts   int                 // numbers the new files
}

// loss is what a file loses: rows of its own, or of a rollback file, those that lay where rows go.
type loss struct {
	file *catalog.File
	what string // identifies the rows
}

// rewritten is a file without the rows that it loses.
type rewritten struct {
	loss
	now       *catalog.File // nil: it has no row left
	name      string        // in the batch
	described commitRef
}

func (w *rewriter) close() {
	if w.batch != nil {
		w.batch.Discard()
	}
}

// write writes the files that lose rows, but those that were written without the same rows already.
func (w *rewriter) write(ctx context.Context, r *removal) error {
	err := w.catalog.Read(ctx, func(tx catalog.Tx) (err error) { w.files, err = tx.FamilyFiles(w.family); return err })
	if err != nil {
		return err
	}
	w.removal, w.lost = r, r.losses(w.files)
	var todo []*catalog.File
	for _, f := range w.files {
		l, loses := w.lost[f.ID]
		// Another server may have removed rows of the file since it was written: they must not come back with it.
		if before, ok := w.written[f.ID]; ok && (!loses || before.what != l.what || before.file.Key != f.Key) {
			w.drop(before)
		}
		if _, ok := w.written[f.ID]; loses && !ok {
			todo = append(todo, f)
		}
	}
	if len(todo) == 0 {
		return nil
	}
	// What is damaged is left as it is: what is read of it might be wrong, and would be sound by its new checksum.
	read := slices.DeleteFunc(slices.Clone(todo), func(f *catalog.File) bool { return r.whole[f.ID] })
	if err := w.readWhole(ctx, read); err != nil {
		return err
	}
	if !w.staging.disk.fits(bytesOf(read)) {
		return errSmallDisk
	}
	for _, f := range todo {
		if err := w.rewrite(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func bytesOf(files []*catalog.File) (n int64) {
	for _, f := range files {
		n += f.Bytes
	}
	return n
}

// drop gives up a file that was written without too few rows.
func (w *rewriter) drop(r rewritten) {
	delete(w.written, r.file.ID)
	if r.now != nil {
		w.batch.Drop(r.name)
		w.verifier.Forget(r.now.Key)
	}
}

// losses returns what each file loses.
func (r *removal) losses(files []*catalog.File) map[int64]loss {
	out := map[int64]loss{}
	for _, f := range files {
		if r.whole[f.ID] {
			out[f.ID] = loss{f, "all"}
		} else if len(r.rows[f.ID]) > 0 {
			out[f.ID] = loss{f, identify(r.rows[f.ID])}
		}
	}
	for _, f := range files {
		what := ""
		for _, target := range slices.Sorted(maps.Keys(f.Targets)) {
			if l, loses := out[target]; loses {
				what += l.what + " "
			}
		}
		if what != "" && !r.whole[f.ID] {
			out[f.ID] = loss{f, what}
		}
	}
	return out
}

// identify returns a text that stands for a list of numbers.
func identify(list []int64) string {
	sum := sha256.New()
	_ = binary.Write(sum, binary.LittleEndian, list) // a hash takes everything
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// rewrite writes one file without the rows that it loses, on a connection of its own: the files that one has read are
// looked at after each of its statements.
func (w *rewriter) rewrite(ctx context.Context, f *catalog.File) error {
	one := rewritten{loss: w.lost[f.ID]}
	conn, err := w.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stays, err := w.staying(ctx, conn, f)
	if err != nil {
		return err
	}
	if w.written == nil {
		w.written = map[int64]rewritten{}
	}
	out, err := w.writerFor(ctx, f, conn, &one)
	if err != nil || stays.rows == 0 {
		w.written[f.ID] = one
		return err
	}
	if out.plain, err = w.needsPlain(ctx, out, stays); err != nil {
		return err
	}
	one.name = out.fileName(f.Kind)
	if err := out.write(ctx, f.Kind, stays.rows, stays.query); err != nil {
		return err
	}
	one.now = out.opened[0]
	one.now.SchemaID = f.SchemaID
	w.written[f.ID] = one
	return nil
}

// writerFor returns what writes a file as it was written: with its id, of its commit, measured for the columns that
// were measured then.
func (w *rewriter) writerFor(
	ctx context.Context, f *catalog.File, conn *duck.Conn, one *rewritten,
) (*fileWriter, error) {
	d := &draft{}
	err := w.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		if d.commit, err = tx.Commit(f.DatasetID, f.CommitID); err != nil {
			return err
		}
		var errSchema error
		d.schema, errSchema = tx.Schema(f.SchemaID)
		d.properties, err = tx.Properties(d.commit.PropertiesID)
		return errors.Join(err, errSchema)
	})
	one.described = commitRef{f.DatasetID, max(d.commit.MergeCommitID, f.CommitID)}
	d.head = snapshot.New(snapshot.State{}, w.pathOf)
	w.parts++
	return &fileWriter{
		draft: d, workspace: &workspace{files: w.Files, staging: w.staging, batch: w.batch, conn: conn},
		part: w.parts, ids: map[schema.Kind]int64{f.Kind: f.ID},
	}, err
}

// needsPlain reports whether the rows that a file keeps must be written without dictionaries.
func (w *rewriter) needsPlain(ctx context.Context, out *fileWriter, stays *staying) (bool, error) {
	if stays.rows <= smallRows {
		return false, nil // not by DuckDB
	}
	floats := slices.DeleteFunc(out.schema.Stored(), func(c schema.Column) bool { return !hasFloats(c.Type) })
	if len(floats) == 0 {
		return false, nil
	}
	return needPlain(ctx, out.conn, stays.query(floats), floats, stays.rows)
}

// replaced describes the files that were written, by id.
func (w *rewriter) replaced() (out []replacedFile) {
	for _, id := range slices.Sorted(maps.Keys(w.written)) {
		one := w.written[id]
		out = append(out, replacedFile{ID: id, Was: one.file.Key, Now: one.now, Write: one.described})
	}
	return out
}
