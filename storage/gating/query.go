package gating

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// The tables of a query: the states before and after a change, and what it changed, record by record.
const (
	oldTable     = "old"
	newTable     = "new"
	changesTable = "changes"
)

// checkQuery runs a client's query, which returns the records that fail.
func (c Checker) checkQuery(ctx context.Context, g catalog.Gate, ch Change) (out Result, err error) {
	q, err := c.openQuery(ctx, g.Query, ch)
	if err != nil {
		return out, err
	}
	defer q.box.Close()
	if out.Records, err = q.first(ctx, ch.After.Schema); err != nil {
		return out, err
	}
	if out.Failed = int64(len(out.Records)); out.Failed > shownRecords {
		out.Records = out.Records[:shownRecords]
		err = q.box.Row(ctx, "SELECT count(*) FROM ("+q.sql+")", &out.Failed)
	}
	if err == nil && out.Failed > 0 {
		out.Detail = fmt.Sprintf("Its query returns %d of the records that it has to return none of.", out.Failed)
	}
	return out, err
}

// query is a client's query in a sandbox that has its tables.
type query struct {
	box     *duck.Conn
	sql     string
	columns []string
}

// openQuery plans a query in a sandbox, which finds most mistakes in it.
func (c Checker) openQuery(ctx context.Context, written string, ch Change) (q *query, err error) {
	box, err := c.Sandboxes.Open(ctx, c.Commit)
	if err != nil {
		return nil, err
	}
	written = strings.TrimRight(written, "; \t\r\n")
	q = &query{box: box, sql: "SELECT * FROM (\n" + written + "\n)"}
	defer func() {
		if err != nil {
			box.Close()
		}
	}()
	parsed, err := clientsql.ParseSelect(ctx, box, written)
	if err != nil {
		return nil, err
	}
	scope, err := c.tables(parsed, ch)
	if err != nil {
		return nil, err
	}
	if err := box.Lock(ctx, scope); err != nil {
		return nil, err
	}
	err = box.Rows(ctx, "SELECT column_name FROM (DESCRIBE "+q.sql+")", func(scan duck.Scan) error {
		var name string
		err := scan(&name)
		q.columns = append(q.columns, name)
		return err
	})
	return q, clientsql.Explain(err)
}

// tables returns the scope of the tables that a query names.
func (c Checker) tables(parsed clientsql.Select, ch Change) (scope duck.Scope, err error) {
	if len(parsed.Parameters) > 0 {
		return scope, refuse("A gate's query has no parameters (?, $1).")
	}
	views, width := map[string]string{}, 1
	for _, t := range parsed.Tables {
		name := schema.Fold(t.Name)
		var files []string
		switch {
		case t.Schema != "" || t.Unit != "":
			return scope, errOtherTable(t.Name)
		case views[name] != "":
		case name == newTable:
			views[name], files = ch.After.Table(), ch.After.Paths()
		case name == oldTable:
			views[name], files = ch.Before.Table(), ch.Before.Paths()
		case name == changesTable:
			d := snapshot.Diff(ch.Before, ch.After)
			if views[name], _, err = d.Records(); err != nil {
				return scope, err
			}
			files = d.Paths()
		default:
			return scope, errOtherTable(t.Name)
		}
		width += len(ch.After.Schema.Columns)
		scope.Files = append(scope.Files, files...)
	}
	scope.Setup = []string{c.Sandboxes.Threads(width)}
	for name, sql := range views {
		scope.Setup = append(scope.Setup, "CREATE VIEW "+duck.Ident(name)+" AS "+sql)
	}
	return scope, nil
}

func errOtherTable(name string) error {
	return refuse("A gate's query reads %q, and it can read new, old and changes.", fault.Clip(name))
}

// first returns the first rows of the query, in its own order, and one more than are shown if there are more.
func (q *query) first(ctx context.Context, s schema.Schema) (records []Record, err error) {
	const shown = 30
	names := q.columns[:min(len(q.columns), shown)]
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = textSQL(duck.Ident(name))
	}
	sql := fmt.Sprintf("SELECT %s FROM (%s LIMIT %d)", strings.Join(list, ", "), q.sql, shownRecords+1)
	err = q.box.Rows(ctx, sql, func(scan duck.Scan) error {
		texts, into := make([]string, len(list)), make([]any, len(list))
		for i := range texts {
			into[i] = &texts[i]
		}
		err := scan(into...)
		records = append(records, ofQuery(s, names, texts))
		return err
	})
	return records, clientsql.Explain(err)
}

// ofQuery is a row of a query: with the key of the record, if it has that.
func ofQuery(s schema.Schema, names, texts []string) Record {
	one := Record{Key: map[string]string{}, Values: map[string]*string{}}
	for i, name := range names {
		isKey := slices.ContainsFunc(s.KeyColumns(), func(k schema.Column) bool { return schema.SameName(k.Name, name) })
		value := valueOf(texts[i])
		if isKey && value != nil {
			one.Key[name] = *value
		} else {
			one.Values[name] = value
		}
	}
	return one
}
