package crunch

import (
	"bytes"
	"encoding/json"

	"github.com/rowback/rowback/server/crunch/expression"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// derivation is what a variable is derived by, as clients send it: an expression, or SQL in a string. Some clients send
// it as expr. Derived is what the client believes; it is checked and has no effect.
type derivation struct {
	Derivation json.RawMessage `json:"derivation"`
	Expr       json.RawMessage `json:"expr"`
	Derived    *bool           `json:"derived"`
}

// given returns what was sent; nil where it was nothing.
func (d derivation) given() json.RawMessage {
	for _, text := range []json.RawMessage{d.Derivation, d.Expr} {
		if !expression.IsEmpty(text) && !bytes.Equal(text, []byte(`""`)) {
			return text
		}
	}
	return nil
}

// read reads what was sent, over the columns of s.
func (d derivation) read(s snapshot.State) (out expression.Expression, err error) {
	text := d.given()
	switch {
	case text == nil:
		return out, nil
	// SQL in a string is for our own users: Crunch itself has expressions only.
	case text[0] == '"':
		return out, json.Unmarshal(text, &out.SQL)
	case text[0] != '{':
		return out, invalid("derivation", "must be an expression, or a string of SQL")
	}
	return expression.Read(s.Schema, s.Dataset.ID, text)
}

// checkDerived refuses to make a variable with values of its own of a derivation, and the reverse.
func (d derivation) checkDerived(is bool) error {
	if d.Derived != nil && *d.Derived != is {
		return invalid("derived", "a variable is derived if it has a derivation, and stays what it is; "+
			"send its values to create one that is not")
	}
	return nil
}

// viewDerivation returns a derivation as clients know it: the expression that it was made of, or else its SQL.
func viewDerivation(s schema.Schema, c schema.Column) json.RawMessage {
	if c.Expression != "" {
		// It no longer reads where a column that it names was dropped; the SQL is shown then.
		if text, err := expression.Show(s, c.Expression); err == nil {
			return text
		}
	}
	text, err := json.Marshal(s.DerivationText(c))
	if err != nil {
		return nil
	}
	return text
}

// rederive adds the new derivation of a column to a change of it. Numbers and times may become others of their kind.
func (d derivation) rederive(s snapshot.State, c schema.Column, out *storage.VariableEdit) error {
	if err := d.checkDerived(c.Derived()); err != nil {
		return err
	}
	derived, err := d.read(s)
	if err != nil || derived.SQL == "" {
		return err
	}
	out.Derivation, out.Expression = &derived.SQL, derived.Text
	if kind := wireType(c); derived.Text != "" && out.Type == nil && (kind == numericType || kind == datetimeType) {
		out.Type = &kind
	}
	if derived.Categories != nil {
		out.Categories = &derived.Categories
	}
	return nil
}
