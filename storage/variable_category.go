package storage

import (
	"encoding/json"
	"strings"

	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// checkCategories refuses categories that could not be told apart.
func checkCategories(list []schema.Category) error {
	ids, names := map[int64]bool{}, map[string]bool{}
	for _, c := range list {
		switch {
		case strings.TrimSpace(c.Name) == "":
			return fault.Errorf(fault.Invalid, "invalid_categories", "Category %d has no name.", c.ID)
		case ids[c.ID]:
			return fault.Errorf(fault.Invalid, "invalid_categories", "Two categories have the id %d.", c.ID)
		case names[c.Name]:
			return fault.Errorf(fault.Invalid, "invalid_categories",
				"Two categories have the name %q.", fault.Clip(c.Name))
		}
		ids[c.ID], names[c.Name] = true, true
	}
	return nil
}

// checkCategorical refuses categories of a variable that does not hold text.
func checkCategorical(c schema.Column) error {
	if len(c.Categories) > 0 && c.Type.Name != schema.Varchar {
		return fault.Errorf(fault.Invalid, "invalid_categories",
			"Variable %q has categories, and they are VARCHAR, not %s.", c.Name, c.Type)
	}
	return nil
}

// categoryNames returns values with the names of categories in place of their ids. Without categories they stay as they
// are.
func categoryNames(c schema.Column, values []json.RawMessage) ([]json.RawMessage, error) {
	if len(c.Categories) == 0 {
		return values, nil
	}
	// Ids and names by their JSON: the id 1 and the name "1" are two.
	written := map[string]json.RawMessage{"null": json.RawMessage("null")} // by the value's JSON
	for _, k := range c.Categories {
		name, err := json.Marshal(k.Name)
		if err != nil {
			return nil, err
		}
		id, err := json.Marshal(k.ID)
		if err != nil {
			return nil, err
		}
		written[string(name)], written[string(id)] = name, name
	}
	out := make([]json.RawMessage, len(values))
	for i, v := range values {
		known, ok := written[plainJSON(v)]
		if !ok {
			return nil, fault.Errorf(fault.Invalid, "unknown_category",
				"Value %d, %s, is not a category of variable %q: neither an id nor a name.",
				i+1, fault.Clip(string(v)), c.Name).
				With("variable", c.Name).With("value", i+1)
		}
		out[i] = known
	}
	return out, nil
}

// plainJSON is a value's JSON in the one way that Marshal writes it.
func plainJSON(v json.RawMessage) string {
	var value any
	if json.Unmarshal(v, &value) != nil {
		return string(v)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return string(v)
	}
	return string(text)
}

// GivenCategory is a category as people declare it.
type GivenCategory struct {
	ID           *int64   `json:"id" description:"By default the next one, or the one that a category of this name has."`
	Name         string   `json:"name"`
	NumericValue *float64 `json:"numeric_value"`
	Missing      bool     `json:"missing"`
	Selected     bool     `json:"selected"`
}

// Numbered returns categories with an id for each: where none was given, that of the category of the same name before,
// if it is free, or else one that none has. It returns nil for nil. Ids are stable: values are stored as names, and
// clients refer to categories by id.
func Numbered(given []GivenCategory, before []schema.Category) []schema.Category {
	if given == nil {
		return nil
	}
	out := make([]schema.Category, len(given))
	used, known := map[int64]bool{}, map[string]int64{}
	last := int64(0)
	for _, c := range before {
		known[c.Name] = c.ID
		last = max(last, c.ID)
	}
	for i, g := range given {
		out[i] = schema.Category{Name: g.Name, NumericValue: g.NumericValue, Missing: g.Missing, Selected: g.Selected}
		if g.ID != nil {
			out[i].ID, used[*g.ID] = *g.ID, true
			last = max(last, *g.ID)
		}
	}
	for i, g := range given {
		if g.ID != nil {
			continue
		}
		id, ok := known[g.Name]
		if !ok || used[id] {
			last++
			id = last
		}
		out[i].ID, used[id] = id, true
	}
	return out
}
