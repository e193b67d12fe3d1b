package expression

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// term is a part of an expression. Var is an alias where a client wrote it, and schema.ColumnName in what is kept.
type term struct {
	Function string            `json:"function,omitempty"`
	Args     []*term           `json:"args,omitempty"`
	Var      string            `json:"var,omitempty"`
	Variable string            `json:"variable,omitempty"` // a URL or an id; not in what is kept
	Axes     []string          `json:"axes,omitempty"`
	Value    json.RawMessage   `json:"value,omitempty"`
	Column   []json.RawMessage `json:"column,omitempty"`
	Type     json.RawMessage   `json:"type,omitempty"` // of a column
	Map      json.RawMessage   `json:"map,omitempty"`  // of frames and arrays, which there are none of
}

// parse reads a term and checks its form and size; what it refers to is not known yet.
func parse(text []byte) (*term, error) {
	t := &term{}
	var mistyped *json.UnmarshalTypeError
	switch err := json.Unmarshal(text, t); {
	case errors.As(err, &mistyped):
		if err := t.checkFunctions(); err != nil { // of what could be read: they may be why the rest can't
			return nil, err
		}
		return nil, refuse("%s is a JSON %s, where there has to be another kind of value",
			strings.TrimSpace("a term "+mistyped.Field), mistyped.Value)
	case err != nil:
		return nil, fault.Errorf(fault.Malformed, "malformed_json", "The expression is not valid JSON: %v.", err)
	}
	s := size{}
	return t, s.add(t, 1)
}

// size is how large an expression is.
type size struct{ terms, values int }

// add counts a term and the terms in it, and refuses what is malformed or too much.
func (s *size) add(t *term, depth int) error {
	if t == nil {
		return refuse("a term is null; it has to be an object")
	}
	if t.kinds() > 1 {
		return refuse(`a term has more than one of "function", "var", "variable", "value" and "column"`)
	}
	if err := t.checkFunction(); err != nil {
		return err
	}
	s.terms++
	s.values += len(t.Column)
	if list, ok := listOf(t.Value); ok {
		s.values += len(list)
	}
	switch {
	case depth > maxDepth:
		return refuse("it has more than %d terms inside one another", maxDepth)
	case s.terms > maxTerms:
		return refuse("it has more than %d terms", maxTerms)
	case s.values > maxValues:
		return refuse("it has more than %d values", maxValues)
	}
	for _, a := range t.Args {
		if err := s.add(a, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// checkFunction refuses a function that there is not, before anything else of its term is looked at: what its arguments
// are, only who has the function knows.
func (t *term) checkFunction() error {
	if known := strings.Fields(functions); t.Function != "" && !slices.Contains(known, t.Function) {
		return refuse("unknown function %q; the functions are %s", fault.Clip(t.Function), strings.Join(known, ", "))
	}
	if t.Map != nil {
		return refuse(`a term has a "map", and only frames have one`)
	}
	return nil
}

// checkFunctions refuses unknown functions in a term and the terms in it.
func (t *term) checkFunctions() error {
	if t == nil {
		return nil
	}
	err := t.checkFunction()
	for i := 0; i < len(t.Args) && err == nil; i++ {
		err = t.Args[i].checkFunctions()
	}
	return err
}

// kinds is how many kinds of terms it would be.
func (t *term) kinds() (n int) {
	for _, is := range []bool{t.Function != "", t.Var != "", t.Variable != "", t.Value != nil, t.Column != nil} {
		if is {
			n++
		}
	}
	return n
}

// looksLikeReference matches a text in JSON that schema.References would take for a column.
var looksLikeReference = regexp.MustCompile(`"c(\d+)"`)

// refer puts references in place of the variables that a client named, and makes sure that no text looks like one.
func (t *term) refer(s schema.Schema, dataset string) error {
	if t.Var != "" || t.Variable != "" {
		c, err := t.find(s, dataset)
		if err != nil {
			return err
		}
		t.Var, t.Variable = schema.ColumnName(c.ID), ""
	}
	t.Value, t.Type = apart(t.Value), apart(t.Type)
	for i, v := range t.Column {
		t.Column[i] = apart(v)
	}
	for _, a := range t.Args {
		if err := a.refer(s, dataset); err != nil {
			return err
		}
	}
	return nil
}

// apart writes what a client sent so that nothing in it looks like a reference of ours.
func apart(text json.RawMessage) json.RawMessage {
	return looksLikeReference.ReplaceAll(text, []byte(`"\u0063$1"`))
}

// find returns the column that a client names: by alias, by URL, or by id.
func (t *term) find(s schema.Schema, dataset string) (schema.Column, error) {
	if len(t.Axes) > 0 {
		return schema.Column{}, refuse("%q has subvariables here (axes), and there are no arrays in Rowback",
			fault.Clip(t.Var))
	}
	named := t.Var
	if named == "" {
		parts := strings.Split(strings.Trim(t.Variable, "/"), "/")
		named = parts[len(parts)-1]
		if i := slices.Index(parts, "datasets"); i >= 0 && i+1 < len(parts) && parts[i+1] != dataset {
			return schema.Column{}, refuse("%q is a variable of another dataset", fault.Clip(t.Variable))
		}
		if id, err := strconv.Atoi(named); err == nil {
			if c, ok := s.ByID(id); ok && id != schema.RowID {
				return c, nil
			}
		}
	}
	if c, ok := s.ByName(named); ok {
		return c, nil
	}
	if id, err := strconv.Atoi(named); err == nil && len(named) == idDigits {
		if c, ok := s.ByID(id); ok {
			return c, nil
		}
	}
	return schema.Column{}, refuse("unknown variable %q", fault.Clip(named))
}

// idDigits is how many digits the id of a variable has on the wire, at least.
const idDigits = 6

// Find returns the column that a client names by alias, by URL, or by id.
func Find(s schema.Schema, dataset, named string) (schema.Column, error) {
	return (&term{Variable: named}).find(s, dataset)
}

// name puts aliases in place of references.
func (t *term) name(s schema.Schema) {
	if c, err := t.referred(s); err == nil {
		t.Var = c.Name
	}
	for _, a := range t.Args {
		a.name(s)
	}
}

// referred returns the column that a term of a kept expression refers to.
func (t *term) referred(s schema.Schema) (schema.Column, error) {
	id, err := strconv.Atoi(strings.TrimPrefix(t.Var, "c"))
	if err == nil {
		if c, ok := s.ByID(id); ok {
			return c, nil
		}
	}
	return schema.Column{}, refuse("it reads a variable that is not there")
}
