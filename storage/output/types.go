package output

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// Types of DuckDB that a format, or its common readers, do not support.
var (
	// Arrow has unions, but arrow-go can't concatenate them and polars can't read them.
	notInArrow   = []string{"VARIANT", union}
	notInParquet = []string{"VARIANT", union, "INTERVAL", "TIME_NS"}
)

// changedByParquet are the types whose values DuckDB changes in a Parquet file: it writes integers of 128 bits, such as
// sums, as doubles, and times with a zone without it.
var changedByParquet = []string{"HUGEINT", "UHUGEINT", "TIME WITH TIME ZONE"}

// forParquet returns the limited statement with such values cast to the types that they have in Arrow.
func (q Query) forParquet() string {
	var casts []string
	for _, c := range q.Columns {
		if kept, ok := schema.Stored(c.Type); ok && typeAmong(c.Type, changedByParquet) != "" {
			casts = append(casts, fmt.Sprintf("CAST(%[1]s AS %[2]s) AS %[1]s", duck.Ident(c.Name), kept.SQL()))
		}
	}
	if len(casts) == 0 {
		return q.limited()
	}
	return "SELECT * REPLACE (" + strings.Join(casts, ", ") + ") FROM (" + q.limited() + ")"
}

// TypeError refuses a column that a format can't hold.
type TypeError struct {
	Column schema.Column
	Type   string // DuckDB's name of the type of the column or of a part of it
	Format intake.Format
}

func (e *TypeError) Error() string {
	name := map[intake.Format]string{intake.Arrow: "Arrow", intake.Parquet: "Parquet"}[e.Format]
	return fmt.Sprintf("Column %q of the result has the type %s, which %s can't hold. "+
		"Cast it, as in CAST(%s AS VARCHAR), or ask for JSON or CSV.",
		e.Column.Name, e.Type, name, duck.Ident(e.Column.Name))
}

// CheckTypes returns a *TypeError if a format can't hold one of the columns.
func CheckTypes(columns []schema.Column, format intake.Format) error {
	not := map[intake.Format][]string{intake.Arrow: notInArrow, intake.Parquet: notInParquet}[format]
	for _, c := range columns {
		if found := typeAmong(c.Type, not); found != "" {
			return &TypeError{c, found, format}
		}
	}
	return nil
}

// typeAmong returns the first of names that is the type or one of its parts; "" if none is.
func typeAmong(t schema.Type, names []string) string {
	if slices.Contains(names, t.Name) {
		return t.Name
	}
	parts := []schema.Type{}
	for _, inner := range []*schema.Type{t.Key, t.Elem} {
		if inner != nil {
			parts = append(parts, *inner)
		}
	}
	for _, f := range t.Fields {
		parts = append(parts, f.Type)
	}
	for _, part := range parts {
		if found := typeAmong(part, names); found != "" {
			return found
		}
	}
	return ""
}
