package gating

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
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
func refuse(format string, args ...any) *fault.Error {
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
