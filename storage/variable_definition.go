package storage

import (
	"encoding/json"

	"rowback/storage/fault"
	"rowback/storage/schema"
)

// NewVariable is what a variable is created with.
type NewVariable struct {
	Name        string
	Description string
	Type        string            // as DuckDB writes it; empty: found from the values or the derivation
	Derivation  string            // SQL over other columns, by name
	Categories  []schema.Category // with Type VARCHAR
	Values      []json.RawMessage // one a record, in the order of the key; nil: all null
}

// definition is a variable as the log of actions has it (seed 001).
type definition struct {
	ID          int               `json:"id"`
	Name        string            `json:"name"`
	Alias       string            `json:"alias"`
	Type        string            `json:"type"`
	Description string            `json:"description,omitempty"`
	Derivation  string            `json:"derivation,omitempty"`
	Categories  []schema.Category `json:"categories,omitempty"`
}

// tell records what the commit did to a variable of s.
func (w variableWork) tell(key string, s schema.Schema, c schema.Column) {
	w.setParam("key", key)
	w.setParam("variable", c.ID)
	w.setParam("definition", definition{
		ID: c.ID, Name: c.Name, Alias: c.Name, Type: c.Type.String(), Description: c.Description,
		Derivation: s.DerivationText(c), Categories: c.Categories,
	})
}

// variable finds one that can be changed.
func (w variableWork) variable(id int) (schema.Column, error) {
	c, ok := w.schema.ByID(id)
	if !ok || id == schema.RowID {
		return c, fault.Errorf(fault.NotFound, "variable_not_found",
			"Variable %d not found in dataset '%s'", id, w.head.Dataset.Name)
	}
	return c, nil
}

// checkName refuses a name that no column can have, or that another one has.
func (w variableWork) checkName(name string, id int) error {
	if err := CheckColumnName(name); err != nil {
		return err
	}
	if c, taken := w.schema.ByName(name); taken && c.ID != id {
		return fault.Errorf(fault.Exists, "variable_exists",
			"There is a variable %q in dataset '%s' already. Choose another name.", c.Name, w.head.Dataset.Name).
			With("variable", c.Name)
	}
	return nil
}
