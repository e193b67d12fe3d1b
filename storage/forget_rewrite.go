package storage

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rowback/storage/blob"
	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// rewriter writes files of a family anew, without rows that go.
type rewriter struct {
	*Removals
	family  string
	key     string // of the directory of the new files
	batch   *blob.Batch
	conn    *duck.Conn
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
	if w.conn != nil {
		w.conn.Close()
	}
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
		if before, ok := w.written[f.ID]; ok && (!loses || before.what != l.what) {
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
	if err := w.tabulate(ctx); err != nil {
		return err
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

// tabulate makes the table of rows that go: file, row, and the number of rows that go from the file up to this one. Of
// a file that loses all rows there is one line, and its row is null.
func (w *rewriter) tabulate(ctx context.Context) error {
	r := w.removal
	if _, err := w.conn.Exec(ctx, makeGoing); err != nil {
		return err
	}
	for file, rows := range r.rows {
		if r.whole[file] {
			continue
		}
		for some := range slices.Chunk(rows, 100_000) {
			query := duck.Fill(addGoing, duck.Parts{"file": file, "rows": duck.Ints(some)})
			if _, err := w.conn.Exec(ctx, query); err != nil {
				return err
			}
		}
	}
	for file := range r.whole {
		if _, err := w.conn.Exec(ctx, duck.Fill(addGone, duck.Parts{"file": file})); err != nil {
			return err
		}
	}
	_, err := w.conn.Exec(ctx, countGoing)
	return err
}

const (
	makeGoing  = `CREATE OR REPLACE TEMP TABLE going_rows (f BIGINT, p BIGINT)`
	addGoing   = `INSERT INTO going_rows SELECT {file}, unnest({rows})`
	addGone    = `INSERT INTO going_rows VALUES ({file}, NULL)`
	countGoing = `CREATE OR REPLACE TEMP TABLE going AS
		SELECT f, p, row_number() OVER (PARTITION BY f ORDER BY p) AS n FROM going_rows`
)

// rewrite writes one file without the rows that it loses.
func (w *rewriter) rewrite(ctx context.Context, f *catalog.File) error {
	one := rewritten{loss: w.lost[f.ID]}
	left, err := w.left(ctx, f)
	if err != nil {
		return err
	}
	if w.written == nil {
		w.written = map[int64]rewritten{}
	}
	out, err := w.writerFor(ctx, f, &one)
	if err != nil || left == 0 {
		w.written[f.ID] = one
		return err
	}
	query := w.keptRows(f, left)
	if out.plain, err = w.needsPlain(ctx, f, query, left); err != nil {
		return err
	}
	one.name = out.fileName(f.Kind)
	if err := out.write(ctx, f.Kind, left, query); err != nil {
		return err
	}
	one.now = out.opened[0]
	one.now.SchemaID = f.SchemaID
	w.written[f.ID] = one
	return nil
}

// displaced returns how many lines of a rollback file are of files that lose all rows.
func (r *removal) displaced(f *catalog.File) (lines int64) {
	if f.Kind != schema.Rollback {
		return -1
	}
	for target, n := range f.Targets {
		if r.whole[target] {
			lines += n
		}
	}
	return lines
}

// left returns how many rows a file keeps.
func (w *rewriter) left(ctx context.Context, f *catalog.File) (rows int64, err error) {
	if w.removal.whole[f.ID] || w.removal.displaced(f) == f.Rows {
		return 0, nil
	}
	query := duck.Fill(countLeft, duck.Parts{"file": f.ID})
	if f.Kind == schema.Rollback {
		query = duck.Fill(countLinesLeft, duck.Parts{"lines": w.numbered(f)})
	}
	var lost int64
	var all bool
	err = w.conn.Row(ctx, query, &lost, &all)
	if all {
		lost = f.Rows
	}
	return f.Rows - lost, err
}

// numbered is the SQL of the rows of a file with their numbers.
func (w *rewriter) numbered(f *catalog.File) string {
	return "read_parquet([" + duck.Text(w.pathOf(f)) + "], hive_partitioning = false, file_row_number = true)"
}

const (
	countLeft      = `SELECT count(p), coalesce(bool_or(p IS NULL), false) FROM going WHERE f = {file}`
	countLinesLeft = `SELECT count(*), false FROM {lines} r
		SEMI JOIN going g ON g.f = r._file AND (g.p = r._pos OR g.p IS NULL)`
)

// writerFor returns what writes a file as it was written: with its id, of its commit, measured for the columns that
// were measured then.
func (w *rewriter) writerFor(ctx context.Context, f *catalog.File, one *rewritten) (*fileWriter, error) {
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
		draft: d, workspace: &workspace{files: w.Files, staging: w.staging, batch: w.batch, conn: w.conn},
		part: w.parts, ids: map[schema.Kind]int64{f.Kind: f.ID},
	}, err
}

// fewGoing is up to how many rows are left out by conditions, which keeps the order of the others without a sort.
const fewGoing = 32

// keptRows returns the SQL of the rows that a file keeps, in their order, with some of its columns. In a rollback file,
// places in files that lose rows are those that the rows have then.
func (w *rewriter) keptRows(f *catalog.File, left int64) func([]schema.Column) string {
	return func(columns []schema.Column) string {
		list := make([]string, len(columns))
		for i, c := range columns {
			list[i] = "s." + duck.Ident(c.Name)
			if c.ID == schema.PosID {
				list[i] = "s._pos - coalesce(g.n, 0)"
			}
		}
		parts := duck.Parts{"columns": strings.Join(list, ", "), "rows": w.numbered(f), "file": f.ID}
		going := f.Rows - left
		switch {
		case f.Kind == schema.Rollback:
			return duck.Fill(keptLines, parts)
		case going > fewGoing:
			return duck.Fill(keptRows, parts)
		}
		stays := make([]string, 0, going)
		for _, row := range w.removal.rows[f.ID] {
			stays = append(stays, fmt.Sprintf("s.file_row_number <> %d", row))
		}
		parts["stays"] = strings.Join(stays, " AND ")
		return duck.Fill(keptMost, parts)
	}
}

const (
	// The newest row that goes before a place, or in it, tells how far the place moves.
	keptLines = `SELECT {columns} FROM (SELECT l.*, q.f AS all_of FROM {rows} l
		LEFT JOIN going q ON q.f = l._file AND q.p IS NULL) s
		ASOF LEFT JOIN (FROM going WHERE p IS NOT NULL) g ON g.f = s._file AND g.p <= s._pos
		WHERE s.all_of IS NULL AND g.p IS DISTINCT FROM s._pos ORDER BY s.file_row_number`
	keptRows = `SELECT {columns} FROM {rows} s ANTI JOIN (FROM going WHERE f = {file}) g ON g.p = s.file_row_number
		ORDER BY s.file_row_number`
	keptMost = `SELECT {columns} FROM {rows} s WHERE {stays}`
)

// needsPlain reports whether the rows that a file keeps must be written without dictionaries.
func (w *rewriter) needsPlain(
	ctx context.Context, f *catalog.File, query func([]schema.Column) string, left int64,
) (bool, error) {
	if left <= smallRows {
		return false, nil // not by DuckDB
	}
	var columns []schema.Column
	err := w.catalog.Read(ctx, func(tx catalog.Tx) error {
		s, err := tx.Schema(f.SchemaID)
		columns = s.Stored()
		return err
	})
	floats := slices.DeleteFunc(columns, func(c schema.Column) bool { return !hasFloats(c.Type) })
	if err != nil || len(floats) == 0 {
		return false, err
	}
	return needPlain(ctx, w.conn, query(floats), floats, left)
}

// replaced describes the files that were written, by id.
func (w *rewriter) replaced() (out []replacedFile) {
	for _, id := range slices.Sorted(maps.Keys(w.written)) {
		one := w.written[id]
		out = append(out, replacedFile{ID: id, Was: one.file.Key, Now: one.now, Write: one.described})
	}
	return out
}
