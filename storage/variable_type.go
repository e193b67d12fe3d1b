package storage

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/gate"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// wordTypes are words for types that people may use who know none of DuckDB's (seed 001).
var wordTypes = map[string]string{
	"text": schema.Varchar, "numeric": schema.Double, "datetime": schema.Timestamp, "categorical": schema.Varchar,
}

// wordTakes reports whether one of those words covers a type other than its own.
func wordTakes(word string, t schema.Type) bool {
	switch strings.ToLower(word) {
	case "numeric":
		return t.IsNumber()
	case "datetime":
		return t.IsMoment() || t.Name == schema.TimestampTZ
	}
	return false
}

// declaredType reads a type that a client wrote: one of those words, or as DuckDB writes it.
func declaredType(ctx context.Context, conn *duck.Conn, written string) (schema.Type, error) {
	if word, ok := wordTypes[strings.ToLower(written)]; ok {
		return schema.Of(word), nil
	}
	t, err := clientsql.ParseType(ctx, conn, written)
	if err == nil && (t.Hollow() || gate.Type(t) != "") {
		err = clientsql.RefuseType(written, "values of it can't be stored exactly in Parquet")
	}
	return t, err
}

// retype gives a column another type. The files stay as they are and are cast where they are read, so every value that
// is stored must be one of the new type, whole: nothing is rounded or cut.
func (w variableWork) retype(ctx context.Context, c schema.Column, written string) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	t, err := declaredType(ctx, w.conn, written)
	if err != nil || t.Equal(c.Type) {
		return err
	}
	if w.schema.IsKey(c.ID) {
		return fault.Errorf(fault.Invalid, "key_variable",
			"Variable %q is in the key (%s), whose types can't be changed.", c.Name, keyNames(w.schema.KeyColumns()))
	}
	if c.Derived() {
		return fault.Errorf(fault.Invalid, "derived_variable",
			"Variable %q is derived as %s, which gives it its type. "+
				"Change the derivation instead, for example by a cast.", c.Name, fault.Clip(w.schema.DerivationText(c)))
	}
	after := c.As(t)
	if err := checkCategorical(after); err != nil {
		return err
	}
	if err := w.checkRetype(ctx, c, after); err != nil {
		return err
	}
	w.schema = w.schema.With(after)
	return nil
}

// checkRetype looks for a stored value that has no place in the new type. All stored values count, and not only the
// live ones: an earlier version may be restored, or compared with a later one.
func (w variableWork) checkRetype(ctx context.Context, before, after schema.Column) error {
	// Every value of the old type is one of the new: nothing has to be read.
	if after.Type.Holds(before.Type) {
		return nil
	}
	history, err := w.store.history(ctx, w.head)
	if err != nil {
		return err
	}
	var example string
	err = w.conn.Row(ctx, duck.Fill(notBecoming, duck.Parts{
		"values": history.EveryValue(before), "becomes": becomes("v", before.Type, after.Type),
	}), &example)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return w.checkBecome(ctx, history, before, after)
	case duck.CauseOf(err) == duck.Input:
		return fault.Errorf(fault.Invalid, "retype_impossible",
			"Variable %q is %s, which can't become %s: %s.", before.Name, before.Type, after.Type, duck.Message(err))
	case err != nil:
		return err
	}
	return fault.Errorf(fault.Invalid, "retype_impossible",
		"Variable %q can't become %s: it has, or had, the value %s, which does not fit. Change such values first.",
		before.Name, after.Type, fault.Clip(example)).
		With("variable", before.Name).With("value", fault.Clip(example))
}

// A value, as text, that is not one of another type.
const (
	notBecoming = `SELECT CAST(v AS VARCHAR) FROM ({values}) t(v)
		WHERE v IS NOT NULL AND NOT coalesce({becomes}, false) LIMIT 1`
)

// checkBecome makes sure that what the stored values are cast to can be read: DuckDB takes more text for JSON than is
// JSON.
func (w variableWork) checkBecome(ctx context.Context, history *snapshot.Snapshot, before, after schema.Column) error {
	if !gate.Checked(after.Type) {
		return nil
	}
	cast := whole("(SELECT TRY(%s) AS %s, row_number() OVER () - 1 AS _n FROM (%s) t(v))",
		snapshot.Cast(before.Type, after.Type, "v"), schema.ColumnName(after.ID), history.EveryValue(before))
	return valueCheck{w.conn}.relation(ctx, cast, []schema.Column{after})
}
