package storage

import (
	"context"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// checkReadable makes sure that the files which are live after a rollback can be read with the types that the columns
// have then: one that came back may be older than a change of type, or newer than one that was undone.
func (w undoWork) checkReadable(ctx context.Context) error {
	after := w.leaves()
	for _, files := range snapshot.BySchema(after.Data) {
		fs := after.SchemaOf(files[0])
		var changed, same []schema.Column // which the schema has in types that they do not hold
		for _, c := range w.schema.Stored() {
			own, has := fs.ByID(c.ID)
			if !has || c.Type.Holds(own.Type) {
				continue
			}
			if was, known := w.head.Schema.ByID(c.ID); known && was.Type.Equal(c.Type) {
				same = append(same, c)
			} else {
				changed = append(changed, c)
			}
		}
		if err := w.checkReads(ctx, after, files, changed); err != nil {
			return err
		}
		back := snapshot.Without(files, w.head.Data)
		if err := w.checkReads(ctx, after, back, same); err != nil {
			return err
		}
	}
	return nil
}

// checkReads makes sure that columns can be read in files that were written with one schema.
func (w undoWork) checkReads(
	ctx context.Context, in *snapshot.Snapshot, files []*catalog.File, columns []schema.Column,
) error {
	if len(files) == 0 || len(columns) == 0 {
		return nil
	}
	if err := w.connect(ctx); err != nil {
		return err
	}
	for some := range slices.Chunk(columns, partColumns) {
		if err := w.checkSome(ctx, in, files, some); err != nil {
			return err
		}
	}
	return nil
}

// checkSome does so by a statement, which finds a text of each column that is not a value of its type. TRY makes a
// value that can't be read null, which is then found by its being null where the file has a value.
func (w undoWork) checkSome(
	ctx context.Context, in *snapshot.Snapshot, files []*catalog.File, columns []schema.Column,
) error {
	fs := in.SchemaOf(files[0])
	list, dest, examples := make([]string, len(columns)), make([]any, len(columns)), make([]*string, len(columns))
	for i, c := range columns {
		own, _ := fs.ByID(c.ID)
		list[i] = duck.Fill(notReadable, duck.Parts{"column": duck.Ident(own.Name), "value": snapshot.FromFile(fs, c)})
		dest[i] = &examples[i]
	}
	err := w.conn.Row(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+in.ReadFiles(files), dest...)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(examples, func(text *string) bool { return text != nil })
	if i < 0 {
		return nil
	}
	return fault.Errorf(fault.Conflict, "type_taken",
		"Commit %d can't be rolled back: variable %q would become %s, and there are records with the value %s. "+
			"First undo the commit that wrote them, or the one that changed the type.",
		w.commit.ParentCommitID, columns[i].Name, columns[i].Type, fault.Clip(*examples[i])).
		With("variable", columns[i].Name)
}

// notReadable is the SQL of a text in a column that is not a value of its type.
const notReadable = `any_value(CASE WHEN {column} IS NOT NULL AND TRY({value}) IS NULL
		THEN CAST({column} AS VARCHAR) END)`
