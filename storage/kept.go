package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// kept is where the records of an upload are once they have been read: an upload itself can be read once. Whatever form
// it has, of is the SQL of the records, as often as it is asked for: some of the columns that came, as
// schema.ColumnName, then _n, the record's number from 0, and _json, its text, where that is kept. keptFile has many
// records; keptTable, keptValues and keptBatch have few, for the statements that follow.
type kept interface {
	of(in *incoming, came []schema.Column) string
	// add makes all records a data file of the commit.
	add(ctx context.Context, w *fileWriter, in *incoming) error
	discard(s *Staging)
}

// The SQL of the records, by where they are kept.
const (
	rowsOfFile = `(SELECT {columns}
		FROM read_parquet({path}, hive_partitioning = false, file_row_number = true))`
	rowsWithIDs  = `(SELECT * REPLACE (coalesce({id}, {first} + _n) AS {id}) FROM {table})`
	rowsOfValues = `(SELECT * FROM (VALUES {rows}) v({names}))`
)

// of is the SQL of the records with no more than some columns, those of them that came: a statement must not name the
// others.
func (in *incoming) of(columns []schema.Column) string {
	came := slices.DeleteFunc(slices.Clone(columns), func(c schema.Column) bool { return !in.has(c.ID) })
	return in.kept.of(in, came)
}

// keptFile is a file that has the form of a data file of the commit, and may become one.
type keptFile struct {
	path string         // empty: it became one
	sum  <-chan fileSum // where it is to become one
}

// of reads the file's own columns, which have the dataset's names.
func (k *keptFile) of(in *incoming, came []schema.Column) string {
	list := make([]string, 0, len(came)+2)
	for _, c := range came {
		list = append(list, duck.Ident(in.columns[in.index(c.ID)].Name)+" AS "+schema.ColumnName(c.ID))
	}
	// The file has the records in their order, so their numbers need no column.
	list = append(list, "file_row_number AS _n")
	if in.texts {
		list = append(list, "_json")
	}
	return duck.Fill(rowsOfFile, duck.Parts{"columns": strings.Join(list, ", "), "path": duck.Text(k.path)})
}

// add moves the file into the commit's directory: the records are written once, and not copied.
func (k *keptFile) add(ctx context.Context, w *fileWriter, in *incoming) error {
	name := w.fileName(schema.Data)
	if err := w.batch.Adopt(name, k.path); err != nil {
		return err
	}
	// It is the batch's now, and goes or stays with that.
	k.path = ""
	bounds := in.bounds
	if !w.schema.Keyed() && !in.has(schema.RowID) {
		bounds = &catalog.Bounds{Least: fmt.Sprint(in.firstRow), Greatest: fmt.Sprint(in.firstRow + in.rows - 1)}
	}
	return w.takeFile(ctx, schema.Data, w.files.blobs.Path(w.batch.Key(name)), in.rows, bounds, k.sum)
}

// discard removes the file, unless the commit has it.
func (k *keptFile) discard(s *Staging) {
	if k.path != "" {
		s.blobs.RemoveScratch(k.path)
	}
}

// incomingTable is the temporary table of the commit's connection that few records, or their keys, are put into.
const incomingTable = "incoming"

// keptTable is that table.
type keptTable struct {
	firstID int64 // of records that brought no _id; 0: they need none
}

// of gives records that brought no _id theirs, in the order in which they came.
func (k *keptTable) of(*incoming, []schema.Column) string {
	if k.firstID == 0 {
		return incomingTable
	}
	id := schema.ColumnName(schema.RowID)
	return duck.Fill(rowsWithIDs, duck.Parts{"id": id, "first": k.firstID, "table": incomingTable})
}

// add writes the table's rows, in the order in which they came.
func (k *keptTable) add(ctx context.Context, w *fileWriter, in *incoming) error {
	return w.addRows(ctx, in)
}

func (k *keptTable) discard(*Staging) {} // the table goes with the connection

// keptValues is records in memory, and as SQL: each record's columns as literals, then _n and, where it is kept, _json.
type keptValues struct {
	literals [][]string
	came     arrow.RecordBatch // with the columns that were offered, then, of JSON, the records' own texts
}

// of writes the records out as literals.
func (k keptValues) of(in *incoming, came []schema.Column) string {
	var names []string
	var at []int
	for _, c := range came {
		names, at = append(names, schema.ColumnName(c.ID)), append(at, in.index(c.ID))
	}
	names, at = append(names, "_n"), append(at, len(in.columns))
	if in.texts {
		names, at = append(names, "_json"), append(at, len(in.columns)+1)
	}
	rows := make([]string, len(k.literals))
	for row, values := range k.literals {
		some := make([]string, len(at))
		for i, column := range at {
			some[i] = values[column]
		}
		rows[row] = "(" + strings.Join(some, ", ") + ")"
	}
	return duck.Fill(rowsOfValues, duck.Parts{"rows": strings.Join(rows, ", "), "names": strings.Join(names, ", ")})
}

// add writes the literals, in the order in which they came.
func (k keptValues) add(ctx context.Context, w *fileWriter, in *incoming) error {
	return w.addRows(ctx, in)
}

// discard frees the memory.
func (k keptValues) discard(*Staging) { k.came.Release() }

// keptBatch is the rows of a data file of the commit, in memory. Its keys are in the table incoming once keyTable has
// put them there: no statement asks for other columns of appended records.
type keptBatch struct{ arrow.RecordBatch }

// of names the table with the keys, which is all that is asked for.
func (k keptBatch) of(*incoming, []schema.Column) string { return incomingTable }

// add encodes the batch, without a statement.
func (k keptBatch) add(ctx context.Context, w *fileWriter, _ *incoming) error {
	return w.writeBatch(ctx, schema.Data, k.RecordBatch)
}

// discard frees the batch's memory.
func (k keptBatch) discard(*Staging) { k.Release() }

// inBatch returns the values of a column in the rows of a data file.
func (d *draft) inBatch(batch arrow.RecordBatch) func(id int) arrow.Array {
	at := map[int]int{}
	for i, c := range d.schema.Stored() {
		at[c.ID] = i
	}
	return func(id int) arrow.Array { return batch.Column(at[id]) }
}

// addRows is add by statements.
func (w *fileWriter) addRows(ctx context.Context, in *incoming) error {
	return w.write(ctx, schema.Data, in.rows, func(columns []schema.Column) string {
		list := make([]string, len(columns))
		for i, c := range columns {
			switch {
			case in.has(c.ID):
				list[i] = schema.ColumnName(c.ID)
			case c.ID == schema.RowID:
				list[i] = fmt.Sprintf("%d + _n", in.firstRow)
			case c.ID == schema.CommitID:
				list[i] = duck.Int(w.commit.RowTag)
			default:
				list[i] = "CAST(NULL AS " + c.Type.SQL() + ")"
			}
		}
		return "SELECT " + strings.Join(list, ", ") + " FROM " + in.of(columns) + " ORDER BY _n"
	})
}
