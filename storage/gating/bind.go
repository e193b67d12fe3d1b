package gating

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Bind checks a gate as people write it against the newest state of its dataset, and returns it bound to the columns:
// with references in place of names.
func (c Checker) Bind(ctx context.Context, g catalog.Gate, head *snapshot.Snapshot) (catalog.Gate, error) {
	if err := checkForm(&g); err != nil {
		return g, err
	}
	if err := compactValues(&g); err != nil {
		return g, err
	}
	columns := make([]string, 0, len(g.Columns))
	for _, name := range g.Columns {
		found, ok := head.Schema.ByName(name)
		if !ok {
			return g, refuse("Gate %s: there is no column %q.", g.Name, fault.Clip(name)).With("column", name)
		}
		if ref := schema.Reference(found.ID); !slices.Contains(columns, ref) {
			columns = append(columns, ref)
		}
	}
	if g.Columns = columns; len(columns) == 0 {
		g.Columns = nil
	}
	var err error
	if g.Condition != "" {
		if g.Condition, err = c.bindCondition(ctx, head.Schema, g.Condition); err != nil {
			return g, named(g, err)
		}
	}
	return g, named(g, c.CanRun(ctx, g, head))
}

// bindCondition binds a condition in a sandbox that can read nothing.
func (c Checker) bindCondition(ctx context.Context, s schema.Schema, written string) (string, error) {
	box, err := c.Sandboxes.OpenLocked(ctx, c.Commit, nil)
	if err != nil {
		return "", err
	}
	defer box.Close()
	return clientsql.BindCondition(ctx, box, s, written)
}

// named adds the name of the gate to a refusal of it.
func named(g catalog.Gate, err error) error {
	var u *unusable
	if !errors.As(err, &u) && fault.KindOf(err) != fault.Invalid {
		return err
	}
	// Conditions are bound as derivations are, whose refusals speak of these.
	why := strings.Replace(strings.TrimPrefix(err.Error(), "Gate "+g.Name+": "), "The derivation", "The condition", 1)
	return refuse("Gate %s: %s", g.Name, why).With("gate", g.Name)
}

// CanRun returns why a bound gate can't be evaluated in a state, as far as that is found without reading records.
func (c Checker) CanRun(ctx context.Context, g catalog.Gate, s *snapshot.Snapshot) error {
	switch g.Kind {
	case catalog.GateRowCount:
		_, _, err := counts(g)
		return err
	case catalog.GateNoCategoryLost:
		if _, ok := s.CategoryColumn(); !ok {
			return errNoCategory
		}
		return nil
	case catalog.GateMinimumQuality:
		if _, ok := s.QualityColumn(); !ok {
			return errNoQuality
		}
		_, err := numberOf(g.Minimum)
		return err
	case catalog.GateQuery:
		q, err := c.openQuery(ctx, g.Query, Change{Before: s, After: s})
		if err == nil {
			q.box.Close()
		}
		return err
	}
	columns, err := columnsOf(&s.State, g)
	if err != nil {
		return err
	}
	return c.canCast(ctx, g, columns)
}

// canCast makes sure that values and limits are ones that the columns can have.
func (c Checker) canCast(ctx context.Context, g catalog.Gate, columns []schema.Column) error {
	for _, column := range columns {
		var exact []string
		for _, v := range slices.Concat(g.Values, []json.RawMessage{g.Minimum, g.Maximum}) {
			if v != nil && column.Type.Name != schema.Null {
				exact = append(exact, isExact(column.Type, textOf(v)))
			}
		}
		if len(exact) == 0 {
			continue
		}
		if column.Type.Nested() {
			return refuse("column %q is %s, which has no single values to compare.", fault.Clip(column.Name), column.Type)
		}
		var all bool
		err := c.Conn.Row(ctx, "SELECT "+strings.Join(exact, " AND "), &all)
		if err != nil && duck.CauseOf(err) == duck.Input {
			return refuse("column %q is %s: %s.", fault.Clip(column.Name), column.Type, duck.Message(err))
		}
		if err == nil && !all {
			return refuse("column %q is %s, which one of the numbers would be rounded to.", fault.Clip(column.Name), column.Type)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isExact is the SQL of whether a value has a type without being rounded; it fails where it does not have it at all.
func isExact(t schema.Type, text string) string {
	if t.IsInteger() || t.Name == schema.Decimal {
		return fmt.Sprintf("CAST(%s AS DOUBLE) = CAST(%s AS DOUBLE)", literal(t, text), duck.Text(text))
	}
	return literal(t, text) + " IS NOT NULL"
}

// Named returns a bound gate as people write it, with the names that its columns have in a schema. A column that is
// gone keeps its reference.
func Named(s schema.Schema, g catalog.Gate) catalog.Gate {
	g.Condition = s.WithNames(g.Condition)
	g.Columns = slices.Clone(g.Columns)
	for i, ref := range g.Columns {
		if c, ok := s.ByID(schema.References(ref)[0]); ok {
			g.Columns[i] = c.Name
		}
	}
	return g
}

// Renumbered returns a bound gate with the ids of its columns replaced; ok is false if it reads one that is not among
// them.
func Renumbered(g catalog.Gate, ids map[int]int) (out catalog.Gate, ok bool) {
	for _, id := range references(g) {
		if _, ok := ids[id]; !ok && id != schema.RowID {
			return g, false
		}
	}
	g.Condition = schema.Renumbered(g.Condition, ids)
	g.Columns = slices.Clone(g.Columns)
	for i, ref := range g.Columns {
		g.Columns[i] = schema.Renumbered(ref, ids)
	}
	return g, true
}
