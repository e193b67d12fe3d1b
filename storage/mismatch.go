package storage

import (
	"errors"

	"rowback/storage/fault"
	"rowback/storage/schema"
)

// mismatched is the error for values that a column's type can't hold.
type mismatched struct{ column schema.Column }

// Error is for logs; clients get the sentence of mismatch.
func (m *mismatched) Error() string {
	return "the type of column " + m.column.Name + " does not take the values"
}

// mismatchOf returns the column that an error is about, where it is that a column's type does not take the values.
func mismatchOf(err error) (c schema.Column, ok bool) {
	var m *mismatched
	if ok = errors.As(err, &m); ok {
		c = m.column
	}
	return c, ok
}

// mismatch is the refusal of values of an offered type: why is the end of a clause about the column.
func mismatch(c schema.Column, offered schema.Type, why string) error {
	return fault.Errorf(fault.Invalid, "type_mismatch",
		"Column %q is %s and the records offer %s, %s. Send values that fit, or put them in a column of another name.",
		c.Name, c.Type, offered, why).Because(&mismatched{c}).
		With("column", c.Name).With("stored_type", c.Type.String()).With("offered_type", offered.String())
}
