package gating

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rowback/storage/catalog"
	"rowback/storage/clientsql"
	"rowback/storage/duck"
	"rowback/storage/fault"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// How large gates may be.
const (
	MaxGates   = 50
	maxColumns = 100
	maxValues  = 1_000
	maxValue   = 1_000  // bytes
	maxText    = 20_000 // bytes of a condition or a query
)

// Minimum_quality is of the mean of all scores, or of the score of each record.
const (
	ofMean   = "mean"
	ofRecord = "record"
)

// refuse refuses a gate.
func refuse(format string, args ...any) error {
	return fault.Errorf(fault.Invalid, "invalid_gate", format, args...)
}

var nameForm = regexp.MustCompile(`^[\pL\pN][\pL\pN_.-]{0,99}$`)

// form is what the gates of a kind say besides their name, when and action.
type form struct{ columns, values, limits, condition, query, of bool }

var forms = map[catalog.GateKind]form{
	catalog.GateNotNull:        {columns: true},
	catalog.GateUnique:         {columns: true},
	catalog.GateAcceptedValues: {columns: true, values: true},
	catalog.GateRange:          {columns: true, limits: true},
	catalog.GateMinimumQuality: {limits: true, of: true},
	catalog.GateNoCategoryLost: {},
	catalog.GateRowCount:       {limits: true},
	catalog.GateCondition:      {condition: true},
	catalog.GateQuery:          {query: true},
}

// checkForm refuses a gate that says too little or too much for its kind, and fills in what it need not say.
func checkForm(g *catalog.Gate) error {
	f, ok := forms[g.Kind]
	switch {
	case !nameForm.MatchString(g.Name):
		return refuse("%q can't be the name of a gate. It has 1 to 100 letters, digits, dots, underscores and hyphens, "+
			"and begins with a letter or a digit.", fault.Clip(g.Name))
	case !ok:
		return refuse("Gate %s: there is no kind %q. A kind is not_null, unique, accepted_values, range, minimum_quality, "+
			"no_category_lost, row_count, condition or query.", g.Name, fault.Clip(string(g.Kind)))
	}
	for _, of := range []struct {
		field        string
		has, allowed bool
	}{
		{"columns", len(g.Columns) > 0, f.columns}, {"values", len(g.Values) > 0, f.values},
		{"minimum or maximum", g.Minimum != nil || g.Maximum != nil, f.limits},
		{"condition", strings.TrimSpace(g.Condition) != "", f.condition},
		{"query", strings.TrimSpace(g.Query) != "", f.query},
	} {
		if of.has != of.allowed {
			says := map[bool]string{true: "does not take", false: "needs"}[of.has]
			return refuse("Gate %s: the kind %s %s %s.", g.Name, g.Kind, says, of.field)
		}
	}
	return checkRest(g, f)
}

// checkRest is the rest of checkForm: what every kind may say, and how much.
func checkRest(g *catalog.Gate, f form) error {
	if len(g.When) == 0 {
		g.When = []catalog.GateEvent{catalog.GateOnCommit, catalog.GateOnMerge}
	}
	for i, w := range g.When {
		known := w == catalog.GateOnCommit || w == catalog.GateOnMerge || w == catalog.GateOnVersion
		if !known || slices.Contains(g.When[:i], w) {
			return refuse("Gate %s: when lists commit, merge and version, each once at most.", g.Name)
		}
	}
	if g.Action == "" {
		g.Action = catalog.GateRefuses
	}
	if f.of && g.Of == "" {
		g.Of = ofMean
	}
	switch {
	case g.Action != catalog.GateRefuses && g.Action != catalog.GateWarns:
		return refuse("Gate %s: action is refuse or warn.", g.Name)
	case g.Of != "" && !f.of, f.of && g.Of != ofMean && g.Of != ofRecord:
		return refuse("Gate %s: of is mean or record, for the kind minimum_quality.", g.Name)
	case g.Kind == catalog.GateMinimumQuality && (g.Minimum == nil || g.Maximum != nil):
		return refuse("Gate %s: the kind minimum_quality needs minimum, and does not take maximum.", g.Name)
	case len(g.Columns) > maxColumns, len(g.Values) > maxValues, len(g.Condition) > maxText, len(g.Query) > maxText:
		return refuse("Gate %s: it is too large. It may have %d columns, %d values, and %d bytes of SQL.", g.Name,
			maxColumns, maxValues, maxText)
	}
	return nil
}

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
			return g, refuse("Gate %s: there is no column %q.", g.Name, fault.Clip(name)).(*fault.Error).With("column", name)
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
	var why string
	if fault.KindOf(err) != fault.Invalid {
		u, ok := err.(*unusable) //nolint:errorlint // it is ours, and not wrapped
		if !ok {
			return err
		}
		why = u.why
	} else {
		why = err.Error()
	}
	return refuse("Gate %s: %s", g.Name, strings.TrimPrefix(why, "Gate "+g.Name+": ")).(*fault.Error).With("gate", g.Name)
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

// compactValues refuses values that are not single ones, and writes all in one form, as they are stored.
func compactValues(g *catalog.Gate) error {
	g.Values = slices.Clone(g.Values)
	all := []*json.RawMessage{&g.Minimum, &g.Maximum}
	for i := range g.Values {
		all = append(all, &g.Values[i])
	}
	for _, v := range all {
		if *v == nil {
			continue
		}
		var short bytes.Buffer
		if err := json.Compact(&short, *v); err != nil || short.Len() == 0 || short.Len() > maxValue ||
			strings.ContainsRune("[{n", rune(short.Bytes()[0])) {
			return refuse("Gate %s: a value is a string, a number, true or false, of at most %d bytes.", g.Name, maxValue)
		}
		*v = short.Bytes()
	}
	return nil
}

// textOf is a value as text.
func textOf(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text
	}
	return string(v)
}

// numberOf is a limit that has to be a number.
func numberOf(v json.RawMessage) (float64, error) {
	n, err := strconv.ParseFloat(string(v), 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return 0, refuse("%s is not a number.", fault.Clip(fmt.Sprint(string(v))))
	}
	return n, nil
}
