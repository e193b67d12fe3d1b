package clientsql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// describeDerived is the SQL of the type of an expression over columns, which are passed as nulls of their types.
// The expression ends its line, since it may end in a comment.
const describeDerived = `SELECT column_type
	FROM (DESCRIBE SELECT _n, TRY(({expression}
	)) AS v FROM (SELECT {nulls}))
	WHERE column_name = 'v'`

// DerivedType returns the type of a derived column. It reads no values.
func DerivedType(ctx context.Context, box *duck.Conn, s schema.Schema, c schema.Column) (t schema.Type, err error) {
	for _, id := range schema.References(c.Derivation) {
		if _, ok := s.ByID(id); !ok {
			return t, fault.Errorf(fault.Conflict, "derivation_unbound",
				"Variable %q is derived from a variable that would no longer exist. "+
					"Undo the change that removes it first, or drop %q.",
				c.Name, c.Name).
				With("variable", c.Name)
		}
	}
	name, err := describe(ctx, box, s, c.Derivation)
	if duck.CauseOf(err) == duck.Input {
		return t, unbound(s, c, unfailing(s.WithNames(duck.Message(err))))
	}
	if err != nil {
		return t, err
	}
	found, err := schema.Parse(name)
	if err != nil {
		return t, unbound(s, c, "it has fields without names; name them, as in {'a': 1, 'b': 2}")
	}
	t, ok := schema.Stored(found)
	if !ok {
		return t, RefuseDerivedType(s, c, found)
	}
	return t, nil
}

// describe returns the type of a derivation as DuckDB writes it.
func describe(ctx context.Context, box *duck.Conn, s schema.Schema, derivation string) (name string, err error) {
	nulls := []string{"1 AS _n"}
	for _, d := range append(s.Stored(), slices.Concat(s.Layers()...)...) {
		nulls = append(nulls, "CAST(NULL AS "+d.Type.SQL()+") AS "+schema.Reference(d.ID))
	}
	err = box.Row(ctx, duck.Fill(describeDerived, duck.Parts{
		"expression": derivation, "nulls": strings.Join(nulls, ", "),
	}), &name)
	return name, err
}

// unfailing replaces TRY in a message, which the server has put around the client's expression.
func unfailing(message string) string {
	return strings.ReplaceAll(message, "the TRY expression", "a derivation")
}

// ErrUnderived is the cause of errors for derivations without a valid type.
var ErrUnderived = errors.New("the derivation has no type")

func unbound(s schema.Schema, c schema.Column, why string) error {
	return fault.Errorf(fault.Invalid, "derivation_refused", "Variable %q can't be derived as %s: %s.",
		c.Name, fault.Clip(s.DerivationText(c)), why).
		With("variable", c.Name).Because(ErrUnderived)
}

// RefuseDerivedType returns the error for a derivation whose values can't be written in every format.
func RefuseDerivedType(s schema.Schema, c schema.Column, t schema.Type) error {
	return unbound(s, c, fmt.Sprintf("it is %s, which can't be written in every format; cast it to another type", t))
}
