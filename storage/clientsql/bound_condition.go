package clientsql

import (
	"context"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// BindCondition reads a condition over the columns of s that is to be kept. It returns it with references in place of
// names, as BindDerivation does.
func BindCondition(ctx context.Context, box *duck.Conn, s schema.Schema, written string) (string, error) {
	bound, err := BindDerivation(ctx, box, s, schema.Column{}, written)
	if err != nil {
		return "", err
	}
	typ, err := describe(ctx, box, s, bound)
	switch {
	case duck.CauseOf(err) == duck.Input:
		return "", fault.Errorf(fault.Invalid, "invalid_condition", "The condition can't be computed: %s.",
			unfailing(s.WithNames(duck.Message(err))))
	case err != nil:
		return "", err
	case typ != "BOOLEAN":
		return "", fault.Errorf(fault.Invalid, "invalid_condition",
			"The condition gives %s; it has to be true or false for each record.", typ)
	}
	return bound, nil
}
