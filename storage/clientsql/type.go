package clientsql

import (
	"context"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// ParseType parses a client's type, in any form that DuckDB accepts, and returns the type in which it is stored.
func ParseType(ctx context.Context, conn *duck.Conn, written string) (t schema.Type, err error) {
	if err := checkTypeText(ctx, conn, written); err != nil {
		return t, err
	}
	var name string
	err = conn.Row(ctx, "SELECT column_type FROM (DESCRIBE SELECT CAST(NULL AS "+written+"))", &name)
	if duck.CauseOf(err) == duck.Input {
		return t, RefuseType(written, duck.Message(err))
	}
	if err != nil {
		return t, err
	}
	if t, err = schema.Parse(name); err != nil {
		return t, err
	}
	t, ok := schema.Stored(t)
	if !ok {
		return t, RefuseType(written, "its values can't be stored exactly in Parquet")
	}
	return t, nil
}

// checkTypeText returns an error unless a text is a type and nothing more.
func checkTypeText(ctx context.Context, conn *duck.Conn, written string) error {
	if strings.ContainsRune(written, 0) {
		return RefuseType(written, "it contains a NUL character")
	}
	n, err := parse(ctx, conn, "SELECT CAST(NULL AS "+written+"\n)")
	if _, ok := reasonOf(err); ok {
		return RefuseType(written, "it can't be parsed")
	}
	if err != nil {
		return err
	}
	list := n.all("select_list")
	if n.Type != "SELECT_NODE" || n.one("from_table").Type != "EMPTY" || len(list) != 1 ||
		n.hasAny("group_expressions", "modifiers", "where_clause") {
		return RefuseType(written, "it is more than a type")
	}
	if cast := list[0]; cast.Class != "CAST" || cast.one("child").Class != "CONSTANT" || cast.Alias != "" {
		return RefuseType(written, "it is more than a type")
	}
	return nil
}

// RefuseType returns the error for a type that no variable can have.
func RefuseType(written, why string) error {
	return fault.Errorf(fault.Invalid, "unknown_type",
		"%q is not a type that a variable can have: %s. "+
			"Write it as DuckDB does, for example BIGINT, DECIMAL(10,2), VARCHAR or TIMESTAMP.",
		fault.Clip(written), strings.TrimRight(why, "."))
}
