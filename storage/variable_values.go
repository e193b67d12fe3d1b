package storage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/gate"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// createStored adds a column with values, or without any yet. Without values every record is null in it, and no file is
// touched.
func (w variableWork) createStored(ctx context.Context, c schema.Column, n NewVariable) (err error) {
	if err := w.connect(ctx); err != nil {
		return err
	}
	switch {
	case n.Type != "":
		if c.Type, err = declaredType(ctx, w.conn, n.Type); err != nil {
			return err
		}
	case len(n.Categories) > 0:
		c.Type = schema.Of(schema.Varchar)
	}
	if err := checkCategorical(c); err != nil {
		return err
	}
	if n.Values == nil {
		w.schema = w.schema.With(c)
		return nil
	}
	if total := w.head.Total(); int64(len(n.Values)) != total {
		return fault.Errorf(fault.Invalid, "values_count",
			"There are %d values and %d records. Send one value for each record, in the order of the key (%s).",
			len(n.Values), total, keyNames(w.schema.KeyColumns())).
			With("values", len(n.Values)).With("records", total)
	}
	values, err := categoryNames(c, n.Values)
	if err != nil {
		return err
	}
	return w.giveValues(ctx, c, values)
}

// giveValues adds a column with a value for each record, in the order of the key. Records whose value is not null are
// displaced and written anew, as by an upsert. The values go through the rules for uploads, as an upload of one column.
func (w variableWork) giveValues(ctx context.Context, c schema.Column, values []json.RawMessage) error {
	u := intake.Upload{Format: intake.JSON, Path: w.store.blobs.Scratch("values.json")}
	defer w.store.blobs.RemoveScratch(u.Path)
	fit, records, err := w.fitValues(ctx, c, values, u)
	if _, misfits := mismatchOf(err); misfits {
		return w.misfit(ctx, c, values, u)
	}
	if err != nil {
		return err
	}
	defer records.close()
	c, _ = fit.schema.ByID(c.ID)
	w.schema = w.schema.With(c)
	if len(fit.columns) == 0 {
		return nil
	}
	in := &incoming{fitted: fit, offered: records.Columns()}
	given := func(from string) string {
		return duck.Fill(givenValues, duck.Parts{"value": fit.columns[0].expr, "records": from})
	}
	columns := []schema.Column{{Name: "v", Type: c.Type}, {Name: "_n", Type: schema.Of(schema.Bigint)}}
	if _, err := w.table(ctx, records, in.want(catalog.Append), "given", given, columns, nil); err != nil {
		return err
	}
	if gate.Checked(c.Type) {
		given := whole("(SELECT v AS %s, _n FROM given)", schema.ColumnName(c.ID))
		if err := (valueCheck{w.conn}).relation(ctx, given, []schema.Column{c}); err != nil {
			return err
		}
	}
	return w.writer.writeChanges(ctx, func(_ int, columns []schema.Column) error {
		_, err := w.conn.Create(ctx, "CREATE OR REPLACE TEMP TABLE changes AS "+w.given(c, columns))
		return err
	}, nil)
}

// fitValues makes values the records of an upload, which it leaves open, and finds the type of the column that takes
// them: the one that it has, if it has any.
func (w variableWork) fitValues(
	ctx context.Context, c schema.Column, values []json.RawMessage, u intake.Upload,
) (fit fitted, records reading, err error) {
	if u.Size, err = w.store.writeValues(u.Path, c.Name, values); err != nil {
		return fit, records, err
	}
	if records, err = w.store.Readers.open(ctx, w.conn, u); err != nil {
		return fit, records, err
	}
	f := fitting{ctx: ctx, conn: records.conn, upload: u, records: records.Records}
	fit, err = f.fit(schema.Schema{Columns: []schema.Column{c}})
	if err == nil {
		if found, _ := fit.schema.ByID(c.ID); c.Type.Name != schema.Null && !found.Type.Equal(c.Type) {
			err = mismatch(c, found.Type, "which it can't take")
		}
	}
	if err != nil {
		records.close()
	}
	return fit, records, err
}

// writeValues writes values as JSON records with the one field.
func (s *Staging) writeValues(path, field string, values []json.RawMessage) (size int64, err error) {
	name, err := json.Marshal(field)
	if err != nil {
		return 0, err
	}
	var text bytes.Buffer
	text.WriteByte('[')
	for i, v := range values {
		if !json.Valid(v) {
			return 0, fault.Errorf(fault.Malformed, "malformed_value", "Value %d is not JSON.", i+1)
		}
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, "{%s:%s}", name, v)
	}
	text.WriteByte(']')
	return int64(text.Len()), s.blobs.WriteScratch(path, text.Bytes())
}

// misfit is the error that names the first value which a column can't take.
func (w variableWork) misfit(ctx context.Context, c schema.Column, values []json.RawMessage, u intake.Upload) error {
	var failed error
	// By halves: fitting the first n values shows whether all of them fit, and not which one does not.
	i := sort.Search(len(values), func(i int) bool {
		_, records, err := w.fitValues(ctx, c, values[:i+1], u)
		if err == nil {
			records.close()
		}
		if _, misfits := mismatchOf(err); err != nil && !misfits {
			failed = err
		}
		return err != nil
	})
	if failed != nil || i == len(values) {
		return failed
	}
	return fault.Errorf(fault.Invalid, "value_mismatch",
		"Value %d, %s, is not of type %s. Send values that fit variable %q, or create it with another type.",
		i+1, fault.Clip(string(values[i])), c.Type, c.Name).
		With("variable", c.Name).With("value", i+1)
}

// given is the SQL of what writeChanges writes, of some of the columns, to give a new one the values in the table
// given.
func (d *draft) given(c schema.Column, columns []schema.Column) string {
	var list []string
	for _, o := range columns {
		after := "s." + schema.ColumnName(o.ID)
		if o.ID == c.ID {
			after = "g.v"
		}
		list = append(list, fmt.Sprintf("%s AS a%d, s.%s AS b%d", after, o.ID, schema.ColumnName(o.ID), o.ID))
	}
	return duck.Fill(giveValues, duck.Parts{
		"columns": strings.Join(list, ", "), "tag": duck.Int(d.commit.RowTag), "key": keyList(d.schema.KeyColumns()),
		"live": d.liveIn(nil).Narrow(columns).Rows(true),
	})
}

// The values of a new column that are not null, and the live records that get them: value n is that of record n in the
// order of the key.
const (
	givenValues = `SELECT * FROM (SELECT {value} AS v, _n FROM ({records})) WHERE v IS NOT NULL`
	giveValues  = `SELECT {columns}, {tag} AS a_commit, s._commit AS b_commit, s._file, s._pos, s._n
		FROM (SELECT *, row_number() OVER (ORDER BY {key}) - 1 AS _n FROM ({live})) s
		JOIN given g ON s._n = g._n`
)
