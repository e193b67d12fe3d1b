package storage

import (
	"context"
	"encoding/json"

	"rowback/storage/catalog"
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

// CreateVariable adds a column, as a commit.
func (s *Store) CreateVariable(ctx context.Context, dataset string, n NewVariable, r Request) (catalog.Commit, schema.Column, error) {
	return catalog.Commit{}, schema.Column{}, failf(Invalid, "not_yet", "not yet")
}

// VariableEdit is a change of a variable. Nil fields stay as they are.
type VariableEdit struct {
	Name        *string
	Description *string
	Type        *string
	Derivation  *string // of a derived variable
	Categories  *[]schema.Category
}

// EditVariable renames, describes or retypes a column, as a commit. variable is its field id.
func (s *Store) EditVariable(ctx context.Context, dataset string, variable int, e VariableEdit, r Request) (catalog.Commit, schema.Column, error) {
	return catalog.Commit{}, schema.Column{}, failf(Invalid, "not_yet", "not yet")
}

// DropVariable takes a column away, as a commit. Its values stay in the files.
func (s *Store) DropVariable(ctx context.Context, dataset string, variable int, r Request) (catalog.Commit, error) {
	return catalog.Commit{}, failf(Invalid, "not_yet", "not yet")
}

// DerivationText is a column's derivation with the names that the columns have in s; empty where it has none.
func DerivationText(s schema.Schema, c schema.Column) string { return c.Derivation }
