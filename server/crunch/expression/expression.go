// Package expression reads the expressions of Crunch clients and writes them as SQL over the columns of a dataset.
//
// An expression is JSON: a term is {"function", "args"}, a variable ({"var": alias} or {"variable": URL or id}), a
// {"value"}, or a {"column"} of values. The forms are those that scrunch and the published documentation of the API
// send; expression_test.go and fixtures/clients/with_scrunch prove them. The SQL is an expression that clients could
// have written themselves, and is checked like theirs.
package expression

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// How large an expression may be.
const (
	maxDepth  = 100     // terms inside one another
	maxTerms  = 2_000   // terms
	maxValues = 10_000  // values in lists
	maxSQL    = 200_000 // bytes of SQL
)

// Expression is one that was read.
type Expression struct {
	SQL        string            // over the columns of a dataset, by name
	Text       string            // JSON to keep, in which schema.Reference stands for a column, so that it may be renamed
	Columns    []int             // field ids of the columns that it reads
	Categories []schema.Category // of a categorical result; nil: it is none
	condition  bool
}

// Condition returns the SQL of an expression that is true or false, and refuses another one.
func (e Expression) Condition() (string, error) {
	if !e.condition {
		return "", refuse("it has to be true or false for each record, as a comparison is")
	}
	return e.SQL, nil
}

// IsEmpty reports whether JSON holds no expression: {}, null or no text.
func IsEmpty(text []byte) bool {
	text = bytes.TrimSpace(text)
	return len(text) == 0 || bytes.Equal(text, []byte("null")) || bytes.Equal(text, []byte("{}"))
}

// Read reads an expression over the columns of a dataset, as a client sends it.
func Read(s schema.Schema, dataset string, text []byte) (Expression, error) {
	t, err := parse(text)
	if err != nil {
		return Expression{}, err
	}
	if err := t.refer(s, dataset); err != nil {
		return Expression{}, err
	}
	return translate(s, t)
}

// Show returns an expression that was kept as clients know it, with the aliases that the columns have in s.
func Show(s schema.Schema, kept string) (json.RawMessage, error) {
	t, err := parse([]byte(kept))
	if err != nil {
		return nil, err
	}
	t.name(s)
	return json.Marshal(t)
}

// translate writes a term, which must read a variable, as SQL. The text that is kept is made from the term and not from
// the client's JSON: it names columns by their ids.
func translate(s schema.Schema, t *term) (out Expression, err error) {
	w := &writer{schema: s}
	result, err := w.write(t)
	if err != nil {
		return out, err
	}
	if result.isValue() {
		return out, refuse("it is a value: it has to read a variable")
	}
	text, err := json.Marshal(t)
	if err != nil {
		return out, err
	}
	return Expression{
		SQL: result.sql, Text: string(text), Columns: w.columns, Categories: result.categories, condition: result.condition,
	}, nil
}

// refuse returns the refusal of an expression. The text is a clause that says what is wrong with it.
func refuse(format string, args ...any) error {
	return fault.Errorf(fault.Invalid, "invalid_expression", "The expression is refused: %s.",
		fmt.Sprintf(format, args...))
}
