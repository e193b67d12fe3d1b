package crunch

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Types of variables, in the clients' terms.
const (
	textType        = "text"
	numericType     = "numeric"
	datetimeType    = "datetime"
	categoricalType = "categorical"
)

// wireType returns the type that a column has for the clients. What is none of the other three is text: its values are
// shown as strings.
func wireType(c schema.Column) string {
	switch c.Type.Name {
	case schema.Varchar:
		if c.Categories != nil {
			return categoricalType
		}
	case "TINYINT", "SMALLINT", schema.Integer, schema.Bigint, "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
		schema.Ubigint, "UHUGEINT", schema.Float, schema.Double, schema.Decimal:
		return numericType
	case schema.Date, schema.Timestamp, schema.TimestampNS, schema.TimestampTZ, "TIMESTAMP_S", "TIMESTAMP_MS":
		return datetimeType
	}
	return textType
}

// isCategorical reports whether the clients see a column as categorical: text with declared categories, an empty list
// included.
func isCategorical(c schema.Column) bool { return wireType(c) == categoricalType }

// newVariable is the body for creating a variable.
type newVariable struct {
	Name        string `json:"name"`
	Alias       string `json:"alias"`
	Type        string `json:"type"`
	Description string `json:"description"`
	derivation
	Categories []storage.GivenCategory `json:"categories"`
	Values     []json.RawMessage       `json:"values"` // one for each record, in key order
}

// wanted returns the requested column: the alias is its name, and the name its title. One stands in for the other.
// Categories are numbered here, so that ids that the client left out are known before the commit.
func (in newVariable) wanted(s snapshot.State) (out storage.NewVariable, err error) {
	out = storage.NewVariable{
		Name: cmp.Or(in.Alias, in.Name), Title: in.Name, Description: in.Description, Values: slices.Clone(in.Values),
	}
	if out.Name == "" {
		return out, invalid("name", "is required")
	}
	derived, err := in.read(s)
	if err == nil {
		err = in.checkDerived(derived.SQL != "")
	}
	if err != nil {
		return out, err
	}
	out.Derivation, out.Expression, out.Categories = derived.SQL, derived.Text, derived.Categories
	if in.Type == categoricalType && derived.Categories == nil {
		out.Categories = append([]schema.Category{}, storage.Numbered(in.Categories, nil)...)
	} else if in.Type != categoricalType && in.Categories != nil {
		return out, invalid("categories", "are only for the type categorical")
	}
	for i, v := range out.Values {
		out.Values[i] = fromWire(in.Type, v)
	}
	out.Type, err = columnType(in.Type, out)
	return out, err
}

// columnType returns the column type for a variable type; empty if the values or the derivation determine it. Times and
// numbers of a derivation have the type that the expression gives.
func columnType(wire string, n storage.NewVariable) (string, error) {
	switch wire {
	case "":
		return "", nil
	case textType, categoricalType:
		return schema.Varchar, nil
	case datetimeType:
		return timeType(n.Values), nil
	case numericType:
		if n.Derivation != "" {
			return "", nil
		}
		return numberType(n.Values), nil
	}
	return "", invalid("type", fmt.Sprintf("must be text, numeric, datetime or categorical, not %q", wire))
}

// numberType returns BIGINT if there are values and all are whole, otherwise DOUBLE. DOUBLE holds no integer above 2^53
// exactly, so whole numbers stay whole.
func numberType(values []json.RawMessage) string {
	out := schema.Double
	for _, v := range values {
		if isNull(v) {
			continue
		}
		if _, err := strconv.ParseInt(string(v), 10, 64); err != nil {
			return schema.Double
		}
		out = schema.Bigint
	}
	return out
}

// zoned matches a time with a zone.
var zoned = regexp.MustCompile(`T.*(Z|[+-]\d\d(:?\d\d)?)"$`)

// timeType returns TIMESTAMP WITH TIME ZONE if the values have zones, otherwise TIMESTAMP.
func timeType(values []json.RawMessage) string {
	if slices.ContainsFunc(values, func(v json.RawMessage) bool { return zoned.Match(v) }) {
		return schema.TimestampTZ
	}
	return schema.Timestamp
}

// isNull reports whether a value is JSON's null.
func isNull(v json.RawMessage) bool { return bytes.Equal(v, null) }

var null = json.RawMessage("null")

// missing is how the clients write a missing value.
var missing = json.RawMessage(`{"?":-1}`)

// noData is the id of the category that stands for a missing value.
var noData = []byte("-1")

// fromWire returns a value as it is stored: null if it is missing. Categories are given by id or by name. A missing
// value comes as {"?": n}, whatever n is, or as the category -1.
func fromWire(wire string, v json.RawMessage) json.RawMessage {
	v = bytes.TrimSpace(v)
	var marker map[string]json.RawMessage
	if json.Unmarshal(v, &marker) == nil && len(marker) == 1 && marker["?"] != nil {
		return null
	}
	if wire == categoricalType && bytes.Equal(v, noData) {
		return null
	}
	return v
}

// toWire returns a stored value in the form that the clients expect. ids is nil unless the variable is categorical:
// then the value is the id of its category.
func toWire(ids map[string]int64, v json.RawMessage) json.RawMessage {
	if v == nil || isNull(v) {
		return missing
	}
	if ids == nil {
		return v
	}
	var name string
	if json.Unmarshal(v, &name) != nil {
		return missing
	}
	// A string that is not declared (any more) has no id to be shown by.
	id, ok := ids[name]
	if !ok {
		return missing
	}
	return json.RawMessage(strconv.FormatInt(id, 10))
}

// idsOf returns the ids of a column's categories by name; nil if it has none.
func idsOf(c schema.Column) map[string]int64 {
	if !isCategorical(c) {
		return nil
	}
	ids := map[string]int64{}
	for _, k := range c.Categories {
		ids[k.Name] = k.ID
	}
	return ids
}

// variableEdit is the body of a change to a variable. Fields that are left out stay as they are.
type variableEdit struct {
	Name        *string                  `json:"name"`
	Alias       *string                  `json:"alias"`
	Type        *string                  `json:"type"`
	Description *string                  `json:"description"`
	Categories  *[]storage.GivenCategory `json:"categories"`
	derivation
}

// checkCategories refuses categories that would leave a column as it is, and a categorical type without any.
func (in variableEdit) checkCategories(c schema.Column) error {
	none := in.Categories == nil || len(*in.Categories) == 0
	to := wireType(c)
	if to == textType && !none {
		to = categoricalType // which its categories make of text
	}
	if in.Type != nil {
		to = *in.Type
	}
	if to != categoricalType && in.Categories != nil {
		return invalid("categories", "are only for the type categorical")
	}
	if to == categoricalType && !isCategorical(c) && none {
		return invalid("categories", "are required for the type categorical; cast the variable to take them from its values")
	}
	return nil
}

// wanted returns the requested change of a column. A new alias leaves the name that people see as it is. Categories
// that are kept by name keep their ids, so that the clients' own references stay right.
func (in variableEdit) wanted(s snapshot.State, c schema.Column) (out storage.VariableEdit, err error) {
	out = storage.VariableEdit{Name: in.Alias, Title: in.Name, Description: in.Description}
	if err := in.checkCategories(c); err != nil {
		return out, err
	}
	if in.Categories != nil {
		numbered := storage.Numbered(*in.Categories, c.Categories)
		out.Categories = &numbered
	}
	if label := c.Label(); in.Alias != nil && in.Name == nil {
		out.Title = &label
	}
	if in.Name != nil && strings.TrimSpace(*in.Name) == "" {
		return out, invalid("name", "must not be empty")
	}
	if in.Type != nil && *in.Type != wireType(c) {
		t, err := columnType(*in.Type, storage.NewVariable{})
		if err != nil {
			return out, err
		}
		out.Type = &t
		if isCategorical(c) {
			out.Categories = &[]schema.Category{}
		}
	}
	return out, in.rederive(s, c, &out)
}
