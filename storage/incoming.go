package storage

import (
	"context"
	"fmt"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/lookup"
	"github.com/rowback/rowback/storage/schema"
)

// incoming is the records of an upload, fitted to the dataset and readable as often as needed. It is made by read and
// has to be discarded, whatever becomes of the commit.
type incoming struct {
	fitted
	kept     kept
	upload   intake.Upload
	offered  []intake.Offered
	rows     int64
	brought  int64           // the greatest _id that came with a record
	firstRow int64           // the row id of the first, once they are given
	bounds   *catalog.Bounds // of the first key column
	keys     []lookup.Key    // of few records; nil: not read yet, none: they can't be looked up
	checked  bool            // every record has a key of its own
	filled   map[int]bool    // columns of which every record has a value, where that is known
	texts    bool            // each record's own text is kept, as _json
	fields   bool            // the table fields lists the fields that each has
}

// arriving is the records of an upload while a commit reads them.
type arriving struct {
	*work
	records reading
	in      *incoming
}

// read fits an upload to the dataset's schema, widening it where needed, and makes it readable. only: take just the
// columns with these ids.
func (w modeWork) read(ctx context.Context, u intake.Upload, only []int) (*incoming, error) {
	records, err := w.store.Readers.open(ctx, w.conn, u)
	if err != nil {
		return nil, err
	}
	defer records.close()
	w.warnings = append(w.warnings, intake.NotesOf(records.Records)...)
	f := fitting{
		ctx: ctx, conn: records.conn, upload: u, records: records.Records, newID: w.family.nextFieldID, only: only,
	}
	f.replaces = w.commit.Mode == catalog.Replace || w.commit.Mode == catalog.Restore
	fit, err := f.fit(w.schema)
	if err != nil {
		return nil, err
	}
	// A wider type must hold what is stored already, in every version that can be restored, not only what is live.
	if err := w.checkStored(ctx, fit.widened); err != nil {
		return nil, err
	}
	// From here on the commit has the new columns and types. They are given up with it where it is refused.
	w.schema = fit.schema
	if w.strict && only == nil {
		if err := w.checkStrict(fit); err != nil {
			return nil, err
		}
	}
	w.warnings = append(w.warnings, fit.lost...)
	if only == nil {
		w.warnings = append(w.warnings, unusedForms(u.Options.Form, fit.columns)...)
	}
	if len(fit.ignored) > 0 {
		w.setParam("derived_columns_ignored", fit.ignored)
	}
	a := arriving{w.work, records, &incoming{fitted: fit, upload: u, offered: records.Columns()}}
	if err := a.checkRowIDs(ctx); err != nil {
		return nil, err
	}
	if err := a.keep(ctx); err != nil {
		return nil, err
	}
	if err := a.checkValues(ctx); err != nil {
		a.in.discard(w.staging)
		return nil, err
	}
	return a.in, nil
}

// checkStrict has a strict commit refuse records that lack columns of the dataset, or have others: once there are
// records, they say which it has.
func (d *draft) checkStrict(fit fitted) error {
	if d.head.Commit.ID == 0 {
		return nil
	}
	var missing, unknown []string
	for _, c := range d.schema.Stored() {
		_, had := d.head.Schema.ByID(c.ID)
		switch {
		case !had:
			unknown = append(unknown, c.Name)
		case fit.index(c.ID) < 0 && c.ID != schema.RowID: // the server assigns it; modes that need it ask for it
			missing = append(missing, c.Name)
		}
	}
	if len(missing)+len(unknown) == 0 {
		return nil
	}
	e := fault.Errorf(fault.Invalid, "schema_mismatch",
		"The records do not have the dataset's columns, as schema=strict asks.%s%s "+
			"Send the dataset's columns and no others, or leave schema=strict out.",
		listed(" Missing: ", missing), listed(" Not in the dataset: ", unknown))
	return e.With("missing", orEmptyList(missing)).With("unknown", orEmptyList(unknown))
}

// listed names columns after a title, for an error; nothing where there are none.
func listed(title string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return title + fault.Clip(strings.Join(names, ", ")) + "."
}

// orEmptyList returns a list that is not nil, so that it is [] in JSON.
func orEmptyList(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// keep reads the records once, into memory, a table or a file.
func (a arriving) keep(ctx context.Context) error {
	// What a reader process sends as one batch has to fit its memory; many columns may not.
	if a.in.upload.Size <= tinyUpload && !(a.records.conn.Remote() && a.isWide()) {
		if done, err := a.readFew(ctx); done || err != nil {
			return err
		}
	}
	return a.readFile(ctx)
}

// maxRowID is the greatest _id that a record may bring: there must be room for those that the server gives.
const maxRowID = 1 << 62

// checkRowIDs looks at the _id values that records bring: those that the server gives come after them.
func (a arriving) checkRowIDs(ctx context.Context) error {
	expr, ok := a.in.present(schema.RowID)
	if !ok || a.schema.Keyed() || a.commit.Mode == catalog.Delete {
		return nil
	}
	i := a.in.index(schema.RowID)
	if a.in.offered[a.in.columns[i].from].Type.Name == schema.Null {
		return nil
	}
	from, release, err := a.records.Relation(ctx, a.records.conn, intake.Want{Columns: []int{a.in.columns[i].from}})
	if err != nil {
		return err
	}
	defer release()
	var least, greatest int64
	query := duck.Fill(broughtRange, duck.Parts{"id": expr, "records": from})
	if err := a.records.conn.Row(ctx, query, &least, &greatest); err != nil {
		return a.records.Explain(err)
	}
	// One that someone brings must leave room for those that the server gives after it, for all time.
	if least < 0 || greatest > max(maxRowID, a.family.lastRowID.Load()) { // those that were given are taken back in
		return fault.Errorf(fault.Invalid, "row_id_range",
			"The records have %s from %d to %d. It must be from 0 to %d; leave it out, and the server assigns one.",
			schema.RowColumn, least, greatest, int64(maxRowID))
	}
	a.in.brought = greatest
	return nil
}

// broughtRange names _n, since a statement on an upload must use it.
const broughtRange = `SELECT coalesce(min(v), 0), coalesce(max(v), 0) FROM (SELECT {id} AS v, _n FROM ({records}))`

// dataRows is the SQL of incoming records as the rows of a data file of this commit.
func (a arriving) dataRows(from string) string {
	list := make([]string, 0, len(a.schema.Columns)+2)
	for _, c := range a.schema.Stored() {
		list = append(list, a.column(c))
	}
	list = append(list, duck.Int(a.commit.RowTag))
	return "SELECT " + strings.Join(list, ", ") + " FROM (" + from + ")"
}

// keepsText reports whether each record's own text is needed later: to tell an absent field from a null one.
func (in *incoming) keepsText(mode catalog.Mode) bool {
	return mode == catalog.Upsert && (in.upload.Format == intake.JSON || in.upload.Format == intake.NDJSON)
}

// want is what a statement that makes every column uses of the upload.
func (in *incoming) want(mode catalog.Mode) intake.Want {
	w := in.wantOf(func(int) bool { return true })
	w.Text = in.keepsText(mode)
	return w
}

// wantOf is what a statement that makes some columns, by field id, uses of the upload.
func (in *incoming) wantOf(makes func(id int) bool) (w intake.Want) {
	for _, c := range in.columns {
		if makes(c.ID) && in.offered[c.from].Type.Name != schema.Null { // nothing but nulls: made anew, not read
			w.Columns = append(w.Columns, c.from)
		}
	}
	return w
}

// textID stands for the field id of the column with each record's text, which is no column of the dataset.
const textID = 0

// readFile writes the records to a file. It has the form of a data file of this commit, and may become one.
func (a arriving) readFile(ctx context.Context) (err error) {
	spec, err := a.writer.spec(ctx, schema.Data)
	if err != nil {
		return err
	}
	if a.in.texts = a.in.keepsText(a.commit.Mode); a.in.texts {
		spec.Columns = append(spec.Columns, schema.Column{ID: textID, Name: "_json", Type: schema.Of(schema.Varchar)})
	}
	file := &keptFile{path: a.store.blobs.Scratch("incoming.parquet")}
	if a.in.rows, err = a.copyIn(ctx, spec, file.path); err != nil {
		a.store.removeWritten(file.path)
		return a.records.Explain(err)
	}
	if a.commit.Mode == catalog.Append {
		file.sum = a.store.sumFile(file.path)
	}
	a.in.kept = file
	return nil
}

// column is the value of a dataset's column in an incoming record. Appended records without an _id get one.
func (a arriving) column(c schema.Column) string {
	expr, ok := a.in.present(c.ID)
	switch {
	case c.ID == textID:
		return "_json"
	case c.ID == schema.CommitID:
		return duck.Int(a.commit.RowTag)
	case c.ID == schema.RowID && a.commit.Mode == catalog.Append && ok:
		return fmt.Sprintf("coalesce(%s, %d + _n)", expr, max(a.firstRowID(), a.in.brought+1))
	case c.ID == schema.RowID && a.commit.Mode == catalog.Append:
		return fmt.Sprintf("%d + _n", a.firstRowID())
	case !ok:
		return "CAST(NULL AS " + c.Type.SQL() + ")"
	}
	return expr
}

// discard frees what holds the records: the file that they lie in, too, unless it became part of the commit.
func (in *incoming) discard(s *Staging) { in.kept.discard(s) }
