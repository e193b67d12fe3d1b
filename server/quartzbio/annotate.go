package quartzbio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rowback/rowback/server/quartzbio/expression"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// scope is what expressions may use beside the record.
type scope struct{ source, target, filename string }

// contextNames are the names that expressions may use.
var contextNames = []string{"record", "value", "source_dataset", "target_dataset", "source_filename"}

// names returns what the names stand for, but for value.
func (s scope) names(record map[string]any) map[string]any {
	out := map[string]any{"record": record}
	for name, v := range map[string]string{
		"source_dataset": s.source, "target_dataset": s.target, "source_filename": s.filename,
	} {
		out[name] = nil
		if v != "" {
			out[name] = v
		}
	}
	return out
}

// targetField is a field that is computed for each record, or cast.
type targetField struct {
	fieldIn
	expression *expression.Expression // nil: the value stays
}

// annotator computes target fields.
type annotator struct {
	fields        []targetField
	scope         scope
	includeErrors bool // what went wrong becomes a field of the record, errorsField
	steps         int  // that may still be taken
}

// How many steps the fields of all records may take: some, and more with each record.
const (
	firstSteps  = 20_000_000
	recordSteps = 10_000
)

// errorsField is the field that says which expressions failed for a record.
const errorsField = "_errors"

// newAnnotator reads target fields, in the order in which they are computed: what others depend on comes first.
func newAnnotator(fields []fieldIn, s scope, includeErrors bool) (*annotator, error) {
	a := &annotator{scope: s, includeErrors: includeErrors, steps: firstSteps}
	byName := map[string]fieldIn{}
	for _, in := range fields {
		if in.Name == "" {
			return nil, required("name of target_fields")
		}
		if _, err := in.columnType(); err != nil {
			return nil, err
		}
		if _, twice := byName[in.Name]; twice {
			return nil, refused("target_fields", fmt.Sprintf("has '%s' twice", fault.Clip(in.Name)))
		}
		byName[in.Name] = in
	}
	state := map[string]int{} // 1: being added, 2: added
	var add func(in fieldIn) error
	add = func(in fieldIn) error {
		if state[in.Name] == 1 {
			return refused("depends_on", fmt.Sprintf("of '%s' leads back to it", fault.Clip(in.Name)))
		}
		if state[in.Name] == 2 {
			return nil
		}
		state[in.Name] = 1
		for _, name := range in.DependsOn {
			if before, ok := byName[name]; ok {
				if err := add(before); err != nil {
					return err
				}
			}
		}
		state[in.Name] = 2
		one, err := parseField(in)
		a.fields = append(a.fields, one)
		return err
	}
	for _, in := range fields {
		if err := add(in); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// parseField reads a field's expression.
func parseField(in fieldIn) (out targetField, err error) {
	out = targetField{fieldIn: in}
	if in.Expression == nil || strings.TrimSpace(*in.Expression) == "" {
		return out, nil
	}
	if out.expression, err = expression.Parse(*in.Expression, contextNames...); err != nil {
		return out, fault.Errorf(fault.Invalid, "invalid_expression", "The expression of '%s' can't be evaluated: %s.",
			fault.Clip(in.Name), err).With("field", in.Name)
	}
	return out, nil
}

// apply computes the fields of a record. The others stay as they are written: 1.10 may be a version.
func (a *annotator) apply(ctx context.Context, record *row) error {
	a.steps += recordSteps
	values := make(map[string]any, len(record.values))
	for name, value := range record.values {
		values[name] = expression.FromJSON(value)
	}
	var failed []any
	for _, field := range a.fields {
		written, was := record.values[field.Name]
		value, err := a.value(ctx, values, field, written)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, expression.ErrSteps):
			return fault.Errorf(fault.Invalid, "expression_failed",
				"The expressions take more steps than %d and %d for each record. Use simpler ones.", firstSteps, recordSteps)
		case err != nil && !a.includeErrors:
			return fault.Errorf(fault.Invalid, "expression_failed", "Field '%s' of a record: %s.",
				fault.Clip(field.Name), err).With("field", field.Name)
		case err != nil:
			failed = append(failed, field.Name+": "+err.Error())
		}
		if was || field.expression != nil {
			values[field.Name] = value
			record.set(field.Name, expression.ToJSON(value))
		}
	}
	for _, field := range a.fields {
		if field.IsTransient {
			record.drop(field.Name)
		}
	}
	if failed != nil {
		record.set(errorsField, failed)
	}
	return nil
}

// value computes a field of a record with values, of which it was written in some way.
func (a *annotator) value(ctx context.Context, values map[string]any, field targetField, written any) (any, error) {
	value := values[field.Name]
	if field.expression != nil {
		names := a.scope.names(values)
		names["value"] = value
		var err error
		if value, err = field.expression.Eval(ctx, names, &a.steps); err != nil {
			return nil, err
		}
	} else if n, ok := written.(json.Number); ok && isText(field.DataType) && !field.isListed() {
		return n.String(), nil
	}
	return castField(value, field.fieldIn)
}

// isText reports whether a type of fields is one of texts.
func isText(dataType string) bool { return dataTypes[dataType] == schema.Varchar && dataType != "auto" }

// castField returns a value as the type of a field has it: a list as one value, and one value as a list, where it is
// the other.
func castField(value any, in fieldIn) (any, error) {
	list, isList := value.([]any)
	if in.isListed() {
		if !isList {
			list = []any{value}
		}
		out := make([]any, len(list))
		for i, one := range list {
			var err error
			if out[i], err = castValue(one, in.DataType); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	if isList && in.DataType != "" && in.DataType != "auto" {
		switch len(list) {
		case 0:
			return nil, nil
		case 1:
			value = list[0]
		default:
			return nil, fmt.Errorf("%d values are not one", len(list))
		}
	}
	return castValue(value, in.DataType)
}

// castValue returns one value as a type has it.
func castValue(value any, dataType string) (any, error) {
	if value == nil {
		return nil, nil
	}
	s, isText := value.(string)
	switch dataType {
	case "string", "text", "blob":
		return expression.Text(value), nil
	case "date":
		if !isText || !date.MatchString(s) {
			return nil, fmt.Errorf("%.40s is not a date", expression.Text(value))
		}
	case "boolean":
		return castBoolean(value)
	case "integer", "long", "float", "double":
		if isText && s == "" {
			return nil, nil
		}
		return expression.Number(value, dataType == "integer" || dataType == "long")
	case "object":
		if _, ok := value.(map[string]any); !ok {
			return nil, fmt.Errorf("%.40s is not an object", expression.Text(value))
		}
	}
	return value, nil
}

// castBoolean returns a value as true or false: of a text, what it says.
func castBoolean(value any) (any, error) {
	s, isText := value.(string)
	switch {
	case !isText:
		return expression.Truth(value), nil
	case s == "":
		return nil, nil
	}
	is, err := strconv.ParseBool(strings.ToLower(s))
	if err != nil {
		return nil, fmt.Errorf("%.40q is not true or false", s)
	}
	return is, nil
}

// annotate computes target fields of the records of a query. What fails is said in each record.
func (f *Face) annotate(ctx context.Context, records []record, fields []fieldIn, s scope) ([]record, error) {
	a, err := newAnnotator(fields, s, true)
	if err != nil {
		return nil, err
	}
	out, size := []record{}, int64(0)
	for _, one := range records {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		text, err := json.Marshal(one)
		if err != nil {
			return nil, err
		}
		var values row
		if err := json.Unmarshal(text, &values); err != nil {
			return nil, err
		}
		if err := a.apply(ctx, &values); err != nil {
			return nil, err
		}
		if text, err = json.Marshal(values); err != nil {
			return nil, err
		}
		if size += int64(len(text)); size > maxAnswer {
			return nil, errTooMuch
		}
		var made record
		if err := json.Unmarshal(text, &made); err != nil {
			return nil, err
		}
		out = append(out, made)
	}
	return out, nil
}

// ids makes the _id of the records of an import what the dataset knows them by.
type ids struct {
	schema   schema.Schema
	isAppend bool
}

// apply changes a record: in an append its _id says nothing, as the service gives new ones. _commit and what an export
// has are left out in any case.
func (i ids) apply(record *row) error {
	id, has := record.values[schema.RowColumn]
	record.drop(schema.CommitColumn)
	record.drop(schema.RowColumn)
	switch {
	case !has || id == nil:
		return nil
	case i.schema.Keyed():
		return i.asKey(record, idText(id))
	case i.isAppend:
		return nil
	}
	text := idText(id)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != text {
		return fault.Errorf(fault.Invalid, "invalid_id", "%s is not an _id of this dataset: they are whole numbers, which "+
			"the server gives. For ids of your own, make the dataset with key=[…], and send those fields.",
			strconv.Quote(fault.Clip(text)))
	}
	record.set(schema.RowColumn, n)
	return nil
}

// idText returns an _id as text: the client may send the number that it is.
func idText(id any) string {
	if n, ok := id.(json.Number); ok {
		return n.String()
	}
	return expression.Text(id)
}

// asKey gives a record the fields of its key that it does not have, from its _id.
func (i ids) asKey(record *row, id string) error {
	key := i.schema.KeyColumns()
	parts := []string{id}
	if len(key) > 1 && (json.Unmarshal([]byte(id), &parts) != nil || len(parts) != len(key)) {
		return fault.Errorf(fault.Invalid, "invalid_id", "%s is not an _id of this dataset: it is a list of %d texts.",
			strconv.Quote(fault.Clip(id)), len(key))
	}
	for k, column := range key {
		if _, has := record.values[column.Name]; has {
			continue
		}
		record.set(column.Name, parts[k])
		if column.Type.IsNumber() && number.MatchString(parts[k]) {
			record.set(column.Name, json.Number(parts[k]))
		}
	}
	return nil
}

// columnsOf returns what target fields say of columns beside their values.
func columnsOf(fields []fieldIn) (out []schema.Column) {
	for _, in := range fields {
		if in.IsTransient {
			continue
		}
		column := schema.Column{Name: in.Name}
		if in.Title != nil && *in.Title != in.Name {
			column.Title = *in.Title
		}
		if in.Description != nil {
			column.Description = *in.Description
		}
		if column.Title != "" || column.Description != "" {
			out = append(out, column)
		}
	}
	return slices.Clip(out)
}
