package storage

import (
	"errors"
	"fmt"

	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
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

// written are the options of a CSV that say how values of a type are written.
var written = map[string]string{
	schema.Date: "date_format", schema.Timestamp: "timestamp_format", schema.TimestampTZ: "timestamp_format",
	schema.Double: "decimal and thousands",
}

// mismatch is the refusal of values of an offered type: why is the end of a clause about the column.
func mismatch(c schema.Column, offered schema.Type, why string) error {
	remedy := "Send values that fit, or put them in a column of another name."
	if offered.Name == schema.Varchar && written[c.Type.Name] != "" {
		remedy += fmt.Sprintf(" If a CSV writes them in another way, say how with %s.", written[c.Type.Name])
	}
	return fault.Errorf(fault.Invalid, "type_mismatch",
		"Column %q is %s and the records offer %s, %s. %s", c.Name, c.Type, offered, why, remedy).Because(&mismatched{c}).
		With("column", c.Name).With("stored_type", c.Type.String()).With("offered_type", offered.String())
}
