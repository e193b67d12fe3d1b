package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/gate"
	"rowback/storage/schema"
)

// wordTypes are words for types that people may use who know none of DuckDB's (seed 001).
var wordTypes = map[string]string{
	"text": schema.Varchar, "numeric": schema.Double, "datetime": schema.Timestamp, "categorical": schema.Varchar,
}

// wordTakes tells whether one of those words is said of a type that it is not itself.
func wordTakes(word string, t schema.Type) bool {
	switch strings.ToLower(word) {
	case "numeric":
		return t.IsNumber()
	case "datetime":
		return isMoment(t) || t.Name == schema.TimestampTZ
	}
	return false
}

// declaredType reads a type that a client wrote, in any of the ways that DuckDB knows.
func declaredType(ctx context.Context, conn *duck.Conn, written string) (t schema.Type, err error) {
	if word, ok := wordTypes[strings.ToLower(written)]; ok {
		return schema.Of(word), nil
	}
	if err := checkTypeText(ctx, conn, written); err != nil {
		return t, err
	}
	var name string
	err = conn.Row(ctx, "SELECT column_type FROM (DESCRIBE SELECT CAST(NULL AS "+written+"))", &name)
	if duck.CauseOf(err) == duck.Input {
		return t, badType(written, duck.Message(err))
	}
	if err != nil {
		return t, err
	}
	if t, err = schema.Parse(name); err != nil {
		return t, err
	}
	t, ok := schema.Stored(t)
	if !ok || t.Hollow() || gate.Type(t) != "" {
		return t, badType(written, "values of it can't be stored exactly in Parquet")
	}
	return t, nil
}

// checkTypeText makes sure that a text is a type and nothing more.
func checkTypeText(ctx context.Context, conn *duck.Conn, written string) error {
	if strings.ContainsRune(written, 0) {
		return badType(written, "it has a NUL character")
	}
	n, _, err := parse(ctx, conn, "SELECT CAST(NULL AS "+written+"\n)")
	if err != nil {
		if Explain(err).Code == "invalid_sql" {
			return badType(written, "it can't be parsed")
		}
		return err
	}
	if n.Type != "SELECT_NODE" || n.FromTable.Type != "EMPTY" || len(n.Select) != 1 || len(n.Groups)+len(n.Modifiers)+len(n.Where) > 0 {
		return badType(written, "it is more than a type")
	}
	cast, _ := n.Select[0].(map[string]any)
	child, _ := cast["child"].(map[string]any)
	if text(cast["class"]) != "CAST" || text(child["class"]) != "CONSTANT" || text(cast["alias"]) != "" {
		return badType(written, "it is more than a type")
	}
	return nil
}

func badType(written, why string) error {
	return failf(Invalid, "unknown_type", "%q is no type that a variable can have: %s. Write it as DuckDB does, for example BIGINT, DECIMAL(10,2), VARCHAR or TIMESTAMP.", clip(written), strings.TrimRight(why, "."))
}

// retype gives a column another type. The files stay as they are and are cast where they are read, so every value that
// is stored must be one of the new type, whole: nothing is rounded or cut.
func (w *work) retype(ctx context.Context, c schema.Column, written string) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	t, err := declaredType(ctx, w.conn, written)
	if err != nil || t.Equal(c.Type) {
		return err
	}
	if w.schema.IsKey(c.ID) {
		return failf(Invalid, "key_variable", "Variable %q is in the key (%s), whose types can't be changed.", c.Name, keyNames(w.schema.KeyColumns()))
	}
	if c.Derived() {
		return failf(Invalid, "derived_variable", "Variable %q is derived as %s, which gives it its type. Change the derivation instead, for example by a cast.", c.Name, clip(w.schema.DerivationText(c)))
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

// checkRetype looks for a stored value that has no place in the new type.
func (w *work) checkRetype(ctx context.Context, before, after schema.Column) error {
	if after.Type.Holds(before.Type) {
		return nil
	}
	history, err := w.store.history(ctx, w.head)
	if err != nil {
		return err
	}
	var example string
	err = w.conn.Row(ctx, fmt.Sprintf("SELECT CAST(v AS VARCHAR) FROM (%s) t(v) WHERE v IS NOT NULL AND NOT coalesce(%s, false) LIMIT 1",
		history.everyValue(before), becomes(before.Type, after.Type)), &example)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return w.checkBecome(ctx, history, before, after)
	case duck.CauseOf(err) == duck.Input:
		return failf(Invalid, "retype_impossible", "Variable %q is %s, which can't become %s: %s.", before.Name, before.Type, after.Type, duck.Message(err))
	case err != nil:
		return err
	}
	return failf(Invalid, "retype_impossible", "Variable %q can't become %s: it has, or had, the value %s, which is none. Change such values first.", before.Name, after.Type, clip(example)).
		With("variable", before.Name).With("value", clip(example))
}

// checkBecome makes sure that what the stored values are cast to can be read: DuckDB takes more text for JSON than is JSON.
func (w *work) checkBecome(ctx context.Context, history *Snapshot, before, after schema.Column) error {
	if !gate.Checked(after.Type) {
		return nil
	}
	return w.checkRelation(ctx, whole("(SELECT TRY(%s) AS %s, row_number() OVER () - 1 AS _n FROM (%s) t(v))",
		castFrom(before.Type, after.Type, "v"), columnName(after.ID), history.everyValue(before)), []schema.Column{after})
}

// becomes is the condition that v, of type from, is a whole value of another type: a text as uploads have it, another
// value if it comes back the same.
func becomes(from, to schema.Type) string {
	if from.Name == schema.Varchar && !to.Nested() {
		return textFits("v", to)
	}
	return "TRY(" + castFrom(to, from, castFrom(from, to, "v")) + ") IS NOT DISTINCT FROM v"
}

// checkReadable makes sure that the files which are live after a rollback can be read with the types that the columns
// have then: one that came back may be older than a change of type, or newer than one that was undone.
func (w *work) checkReadable(ctx context.Context) error {
	after := w.snapshotAfter()
	live := after.Data
	for _, c := range w.schema.Stored() {
		other := map[string]bool{} // schemas that have the column in a type which this one does not hold
		for id, fs := range after.schemas {
			if own, has := fs.ByID(c.ID); has && !c.Type.Holds(own.Type) {
				other[id] = true
			}
		}
		if len(other) == 0 {
			continue
		}
		was, known := w.head.Schema.ByID(c.ID)
		same := known && was.Type.Equal(c.Type)
		after.Data = filter(live, func(f *catalog.File) bool {
			return other[f.SchemaID] && !(same && slices.Contains(w.head.Data, f))
		})
		if err := w.checkReads(ctx, after, c); err != nil {
			return err
		}
	}
	return nil
}

// checkReads makes sure that a column can be read in the files of a snapshot.
func (w *work) checkReads(ctx context.Context, in *Snapshot, c schema.Column) error {
	for _, group := range bySchema(in.Data) {
		if w.conn == nil {
			if err := w.connect(ctx); err != nil {
				return err
			}
		}
		fs := in.schemaOf(group[0])
		own, _ := fs.ByID(c.ID)
		var example string
		err := w.conn.Row(ctx, fmt.Sprintf("SELECT CAST(%[1]s AS VARCHAR) FROM %[2]s WHERE %[1]s IS NOT NULL AND TRY(%[3]s) IS NULL LIMIT 1",
			duck.Ident(own.Name), w.store.readFiles(group), fromFile(fs, c)), &example)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		return failf(Conflict, "type_taken", "Commit %d can't be rolled back: variable %q would be %s, and there are records with %s in it. Undo what wrote those, or what changed the type, first.", w.commit.ParentCommitID, c.Name, c.Type, clip(example)).
			With("variable", c.Name)
	}
	return nil
}
