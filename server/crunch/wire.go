package crunch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"rowback/storage"
	"rowback/storage/schema"
)

// Types of variables, as the clients know them.
const (
	textType        = "text"
	numericType     = "numeric"
	datetimeType    = "datetime"
	categoricalType = "categorical"
)

// wireType is what the clients take a column for.
func wireType(c schema.Column) string {
	switch c.Type.Name {
	case schema.Varchar:
		if c.Categories != nil {
			return categoricalType
		}
	case "TINYINT", "SMALLINT", schema.Integer, schema.Bigint, "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", schema.Ubigint, "UHUGEINT", schema.Float, schema.Double, schema.Decimal:
		return numericType
	case schema.Date, schema.Timestamp, schema.TimestampNS, schema.TimestampTZ, "TIMESTAMP_S", "TIMESTAMP_MS":
		return datetimeType
	}
	return textType
}

func isCategorical(c schema.Column) bool { return wireType(c) == categoricalType }

// newVariable is the body that a variable is created with.
type newVariable struct {
	Name        string            `json:"name"`
	Alias       string            `json:"alias"`
	Type        string            `json:"type"`
	Description string            `json:"description"`
	Derivation  string            `json:"derivation"` // SQL over other columns
	Expr        string            `json:"expr"`       // another word for it
	Categories  []schema.Category `json:"categories"`
	Values      []json.RawMessage `json:"values"` // one a record, in the order of the key
}

// wanted is the column that is asked for. Of two names, the alias is the column's.
func (in newVariable) wanted() (out storage.NewVariable, err error) {
	out = storage.NewVariable{Name: in.Alias, Description: in.Description, Derivation: in.Derivation, Values: slices.Clone(in.Values)}
	if out.Name == "" {
		out.Name = in.Name
	}
	if out.Derivation == "" {
		out.Derivation = in.Expr
	}
	if out.Name == "" {
		return out, invalid("name", "is required")
	}
	if in.Type == categoricalType {
		out.Categories = append([]schema.Category{}, in.Categories...)
	} else if in.Categories != nil {
		return out, invalid("categories", "go with the type categorical only")
	}
	for i, v := range out.Values {
		out.Values[i] = fromWire(in.Type, v)
	}
	out.Type, err = columnType(in.Type, out)
	return out, err
}

// columnType is the type of the column that a variable of that type gets; empty where the values or the derivation tell.
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

// numberType is BIGINT where all values are whole and there are some, else DOUBLE.
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

// zoned is a moment that says which zone it is in.
var zoned = regexp.MustCompile(`T.*(Z|[+-]\d\d(:?\d\d)?)"$`)

// timeType is TIMESTAMP WITH TIME ZONE where the values have zones, else TIMESTAMP.
func timeType(values []json.RawMessage) string {
	if slices.ContainsFunc(values, func(v json.RawMessage) bool { return zoned.Match(v) }) {
		return schema.TimestampTZ
	}
	return schema.Timestamp
}

func isNull(v json.RawMessage) bool { return bytes.Equal(v, null) }

var null = json.RawMessage("null")

// missing is how the clients write that there is no value.
var missing = json.RawMessage(`{"?":-1}`)

// noData is the id of the category that stands for no value.
var noData = []byte("-1")

// fromWire is a value as it is stored: null, where it is missing. Categories come by id or by name.
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

// toWire is a stored value as the clients want it.
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
	id, ok := ids[name]
	if !ok {
		return missing
	}
	return json.RawMessage(strconv.FormatInt(id, 10))
}

// idsOf are the ids of a column's categories by name; nil where it has none.
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

// variableEdit is the body of a change of a variable. What does not come stays as it is.
type variableEdit struct {
	Name        *string            `json:"name"`
	Alias       *string            `json:"alias"`
	Type        *string            `json:"type"`
	Description *string            `json:"description"`
	Derivation  *string            `json:"derivation"`
	Categories  *[]schema.Category `json:"categories"`
}

// wanted is the change of a column that is asked for. A client may send the old name beside a new alias.
func (in variableEdit) wanted(c schema.Column) (out storage.VariableEdit, err error) {
	out = storage.VariableEdit{Name: in.Name, Description: in.Description, Derivation: in.Derivation, Categories: in.Categories}
	if in.Alias != nil && *in.Alias != c.Name {
		out.Name = in.Alias
	}
	if in.Type != nil && *in.Type != wireType(c) {
		t, err := columnType(*in.Type, storage.NewVariable{})
		if err != nil {
			return out, err
		}
		out.Type = &t
	}
	return out, nil
}
