package crunch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// maxCells is the most values of one answer: they are held in memory, because they are sent by column.
const maxCells = 4_000_000

// page selects records, in key order. The key makes the order total, so pages do not overlap as long as the head is the
// same.
type page struct{ limit, offset int64 }

// pageOf reads the page from the parameters offset and limit.
func pageOf(c *fiber.Ctx) (p page, err error) {
	if p.offset, err = queryInt(c, "offset", 0); err != nil {
		return p, err
	}
	p.limit, err = queryInt(c, "limit", maxCells)
	return p, err
}

// columns reads columns of a snapshot by variable id, with values in the form that the clients expect.
func (f *Face) columns(
	ctx context.Context, snap *snapshot.Snapshot, columns []schema.Column, p page,
) (map[string][]json.RawMessage, error) {
	out := map[string][]json.RawMessage{}
	for _, c := range columns {
		out[variableID(c)] = []json.RawMessage{}
	}
	rows := min(p.limit, max(snap.Total()-p.offset, 0))
	if rows == 0 || len(columns) == 0 {
		return out, nil
	}
	// Divided, since the product may not fit an int64.
	if rows > maxCells/int64(len(columns)) {
		return nil, invalid("limit",
			fmt.Sprintf("one answer has at most %d values: ask for fewer records at a time, with limit and offset", maxCells))
	}
	// As JSON, so that numbers and times are written as in all other answers.
	text, err := f.records(ctx, snap, columns, p)
	if err != nil {
		return nil, err
	}
	for d := json.NewDecoder(text); d.More(); {
		var record map[string]json.RawMessage
		if err := d.Decode(&record); err != nil {
			return nil, err
		}
		for _, c := range columns {
			id := variableID(c)
			out[id] = append(out[id], record[id])
		}
	}
	for _, c := range columns {
		ids := idsOf(c)
		for i, v := range out[variableID(c)] {
			out[variableID(c)][i] = toWire(ids, v)
		}
	}
	return out, nil
}

// records reads a page of records, as lines of JSON.
func (f *Face) records(
	ctx context.Context, snap *snapshot.Snapshot, columns []schema.Column, p page,
) (*bytes.Buffer, error) {
	seen, err := selectSeen(snap.State, nil)
	if err != nil {
		return nil, err
	}
	conn, q, err := f.store.OpenRecords(ctx, storage.Wanted{
		Snapshot: snap, Columns: columns, Only: seen.where, By: seen.reads, Order: snap.ByKey(), Limit: &p.limit,
		Offset: p.offset,
	}, nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var text bytes.Buffer
	_, err = output.Write(ctx, conn, onWire(q), intake.NDJSON, &text, "")
	return &text, err
}

// onWire returns a query of the same records, with columns named after the variables' ids.
func onWire(q output.Query) (out output.Query) {
	for _, s := range q.Slices {
		out.Slices = append(out.Slices, onWire(s))
	}
	out.From = q.From
	list := make([]string, len(q.Columns))
	for i, c := range q.Columns {
		value, typ := wireValue(c)
		list[i] = value + " AS " + duck.Ident(variableID(c))
		out.Columns = append(out.Columns, schema.Column{Name: variableID(c), Type: typ})
	}
	out.SQL = "SELECT " + strings.Join(list, ", ") + " FROM (" + q.SQL + ") r"
	return out
}

// wireValue returns the SQL of a value, and its type: what is neither a number nor a time is text. Nested values are
// shown as their JSON and binaries in base64, as in the other formats.
func wireValue(c schema.Column) (sql string, typ schema.Type) {
	value := "r." + duck.Ident(c.Name)
	switch wireType(c) {
	case numericType, datetimeType:
		return value, c.Type
	}
	switch {
	case c.Type.Nested():
		value = "to_json(" + value + ")"
	case c.Type.Name == schema.Blob:
		value = "base64(" + value + ")"
	}
	return "CAST(" + value + " AS VARCHAR)", schema.Of(schema.Varchar)
}

// commitRef names a state's commit. Reads that belong together name it, so that a commit in between changes nothing for
// them.
func commitRef(s snapshot.State) string { return strconv.FormatInt(s.Commit.ID, 10) }

// getTable shows records by column.
func (f *Face) getTable(c *fiber.Ctx) error {
	ctx := c.UserContext()
	p, err := pageOf(c)
	if err != nil {
		return err
	}
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	snap, err := f.store.Snapshot(ctx, s.Dataset.ID, commitRef(s))
	if err != nil {
		return err
	}
	data, err := f.columns(ctx, snap, snap.Schema.Columns, p)
	if err != nil {
		return err
	}
	metadata := map[string]variableBody{}
	for _, column := range snap.Schema.Columns {
		metadata[variableID(column)] = viewVariable(snap.Schema, column)
	}
	return show(c, document{Element: tableElement, Metadata: metadata, Data: data})
}

// variableIn finds the variable that a request names, and the snapshot of its dataset's head.
func (f *Face) variableIn(ctx context.Context, c *fiber.Ctx) (*snapshot.Snapshot, schema.Column, error) {
	s, column, err := f.variable(ctx, c)
	if err != nil {
		return nil, column, err
	}
	snap, err := f.store.Snapshot(ctx, s.Dataset.ID, commitRef(s))
	return snap, column, err
}

// getValues shows the values of one variable.
func (f *Face) getValues(c *fiber.Ctx) error {
	ctx := c.UserContext()
	p, err := pageOf(c)
	if err != nil {
		return err
	}
	snap, column, err := f.variableIn(ctx, c)
	if err != nil {
		return err
	}
	data, err := f.columns(ctx, snap, []schema.Column{column}, p)
	if err != nil {
		return err
	}
	return showView(c, data[variableID(column)])
}

// getVariableSummary shows how many records have a value for a variable.
func (f *Face) getVariableSummary(c *fiber.Ctx) error {
	ctx := c.UserContext()
	snap, column, err := f.variableIn(ctx, c)
	if err != nil {
		return err
	}
	conn, from, err := f.openSeen(ctx, snap, []schema.Column{column})
	if err != nil {
		return err
	}
	defer conn.Close()
	var total, valid int64
	if err := conn.Row(ctx, "SELECT count(*), count("+duck.Ident(column.Name)+") FROM "+from, &total, &valid); err != nil {
		return err
	}
	return showView(c,
		map[string]any{"n_total": total, "n_valid": valid, "n_missing": total - valid, "type": wireType(column)})
}
