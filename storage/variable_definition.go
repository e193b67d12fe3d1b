package storage

import (
	"encoding/json"
	"strings"

	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// NewVariable is what a variable is created with. A variable has values or a derivation, never both.
type NewVariable struct {
	Name        string
	Title       string // empty: the name
	Description string
	Type        string            // as DuckDB writes it; empty: found from the values or the derivation
	Derivation  string            // SQL over other columns, by name
	Expression  string            // that the SQL was made of, if it was (schema.Column)
	Categories  []schema.Category // with Type VARCHAR
	Values      []json.RawMessage // one a record, in the order of the key; nil: all null
}

// definition is a variable as the log of actions has it (seed 001).
type definition struct {
	ID          int               `json:"id"`
	Name        string            `json:"name"`
	Alias       string            `json:"alias"`
	Title       string            `json:"title,omitempty"`
	Type        string            `json:"type"`
	Description string            `json:"description,omitempty"`
	Derivation  string            `json:"derivation,omitempty"`
	Categories  []schema.Category `json:"categories,omitempty"`
}

// variableWork is a commit that changes variables, while it is made.
type variableWork struct{ *work }

// tell records what the commit did to a variable of s.
func (w variableWork) tell(key string, s schema.Schema, c schema.Column) {
	w.setParam("key", key)
	w.setParam("variable", c.ID)
	w.setParam("definition", definition{
		ID: c.ID, Name: c.Name, Alias: c.Name, Title: c.Title, Type: c.Type.String(), Description: c.Description,
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

// maxTitle is how long a variable's title may be, bytes.
const maxTitle = 1000

// titled returns a variable with a title. Its own name, and an empty one, leave it without. The name is what people see
// where there is no title, so a title that equals it says nothing.
func titled(c schema.Column, title string) (schema.Column, error) {
	if len(title) > maxTitle || strings.ContainsFunc(title, isControl) || title != "" && strings.TrimSpace(title) == "" {
		return c, fault.Errorf(fault.Invalid, "invalid_title",
			"A variable's title must have at most %d bytes, no control characters, and more than spaces; %q does not.",
			maxTitle, fault.Clip(title))
	}
	if c.Title = title; title == c.Name {
		c.Title = ""
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
