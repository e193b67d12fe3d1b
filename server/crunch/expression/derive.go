package expression

import (
	"encoding/json"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// cases writes the values of a column, each where its condition is the first that holds. One value more than there are
// conditions is for all other records; without it, they have none.
func (w *writer) cases(t *term) (operand, error) {
	if len(t.Args) < 2 {
		return operand{}, refuse("case has a column of values and a condition for each")
	}
	column := t.Args[0]
	conditions, err := w.args(&term{Args: t.Args[1:]})
	if err != nil {
		return operand{}, err
	}
	if extra := len(column.Column) - len(conditions); extra != 0 && extra != 1 {
		return operand{}, refuse("case has %d values and %d conditions: there is a value for each, and perhaps one for "+
			"the others", len(column.Column), len(conditions))
	}
	values, categories, err := caseValues(column)
	if err != nil {
		return operand{}, err
	}
	sql := "CASE"
	for i, c := range conditions {
		if !c.condition {
			return operand{}, refuse("condition %d of case is not true or false, as a comparison is", i+1)
		}
		sql += " WHEN " + c.sql + " THEN " + values[i]
	}
	if len(values) > len(conditions) {
		sql += " ELSE " + values[len(conditions)]
	}
	if sql += " END"; categories != nil {
		sql = asText(sql)
	}
	return operand{sql: sql, categories: categories}, nil
}

// caseValues writes the values of a column, which are ids of categories where its type says so.
func caseValues(column *term) (values []string, categories []schema.Category, err error) {
	class := ""
	if column.Type != nil {
		if class, categories, err = typeOf(column.Type); err != nil {
			return nil, nil, err
		}
	}
	values = make([]string, len(column.Column))
	for i, v := range column.Column {
		if class == "categorical" {
			values[i], err = nameIn(categories, v)
		} else {
			values[i], err = literal(v, schema.Type{})
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return values, categories, nil
}

// cast writes a variable in another type: numeric, text, datetime, or categorical with its categories.
func (w *writer) cast(t *term) (operand, error) {
	if len(t.Args) != 2 {
		return operand{}, refuse("cast has a variable and a type")
	}
	x, err := w.write(t.Args[0])
	if err != nil {
		return operand{}, err
	}
	if x.isValue() {
		return operand{}, refuse("cast asks for a variable, not for a value")
	}
	class, categories, err := castType(t.Args[1])
	if err != nil {
		return operand{}, err
	}
	switch class {
	case "numeric":
		return operand{sql: numeric(x)}, nil
	case "text":
		return operand{sql: asText(x.sql), typ: schema.Of(schema.Varchar)}, nil
	case "datetime":
		return operand{sql: "TRY_CAST(" + x.sql + " AS TIMESTAMP)"}, nil
	case "categorical":
		return operand{sql: categorical(x, categories), categories: categories}, nil
	}
	return operand{}, refuse("cast makes a variable numeric, text, datetime or categorical, not %q", fault.Clip(class))
}

// castType reads what a cast makes of a value: a class, or a type with its categories.
func castType(t *term) (class string, categories []schema.Category, err error) {
	if json.Unmarshal(t.Value, &class) == nil {
		if class == "categorical" {
			return "", nil, refuse(`cast to categorical needs the categories: {"class": "categorical", "categories": […]}`)
		}
		return class, nil, nil
	}
	if t.Value != nil {
		return typeOf(t.Value)
	}
	return typeOf(t.Type)
}

// numeric writes an operand as numbers: of categories, their numeric values. What is not a number is missing; if it
// failed instead, a condition around it would be lost with it.
func numeric(x operand) string {
	if !x.isCategorical() {
		return "TRY_CAST(" + x.sql + " AS DOUBLE)"
	}
	sql := "CASE WHEN " + x.sql + " IS NULL THEN NULL"
	for _, c := range x.categories {
		if c.NumericValue != nil {
			sql += " WHEN " + x.sql + " = " + duck.Text(c.Name) + " THEN " + number(*c.NumericValue)
		}
	}
	return "CAST(" + sql + " END AS DOUBLE)"
}

// number writes a number in SQL; NULL where JSON has none for it.
func number(v float64) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "NULL"
	}
	return string(text)
}

// categorical writes an operand as the names of categories: numbers are those with their numeric value, all else is the
// name itself. What is neither is missing.
func categorical(x operand, categories []schema.Category) string {
	text := asText(x.sql)
	sql := "CASE WHEN " + x.sql + " IS NULL THEN NULL"
	for _, c := range categories {
		switch {
		case c.ID == noData:
		case x.typ.IsNumber() && c.NumericValue != nil:
			sql += " WHEN " + x.sql + " = " + number(*c.NumericValue) + " THEN " + duck.Text(c.Name)
		default:
			sql += " WHEN " + text + " = " + duck.Text(c.Name) + " THEN " + duck.Text(c.Name)
		}
	}
	return asText(sql + " END")
}

// asText writes the names of categories as text, where none of them may be left.
func asText(sql string) string { return "CAST(" + sql + " AS VARCHAR)" }

// combine writes a categorical variable with some of its categories taken together.
func (w *writer) combine(t *term) (operand, error) {
	if len(t.Args) != 2 {
		return operand{}, refuse("combine_categories has a variable and a list of categories with combined_ids")
	}
	x, err := w.write(t.Args[0])
	if err != nil {
		return operand{}, err
	}
	var into []struct {
		schema.Category
		CombinedIDs []json.RawMessage `json:"combined_ids"`
	}
	if !x.isCategorical() {
		return operand{}, refuse("combine_categories asks for a categorical variable")
	}
	if json.Unmarshal(t.Args[1].Value, &into) != nil || len(into) == 0 {
		return operand{}, refuse("combine_categories has a list of categories, each with id, name and combined_ids")
	}
	sql := "CASE"
	out := operand{}
	for _, c := range into {
		is, err := x.isOneOf(c.CombinedIDs)
		if err != nil {
			return out, err
		}
		name := duck.Text(c.Name)
		if c.ID == noData {
			name = "NULL"
		}
		sql += " WHEN " + is + " THEN " + name
		out.categories = append(out.categories, c.Category)
	}
	out.sql = asText(sql + " END")
	return out, nil
}
