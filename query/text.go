package query

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"rowback/storage"
	"rowback/storage/duck"
)

// text is a statement as the client wrote it and as it runs, and what it names.
type text struct {
	written string
	sql     string // with names in place of AT clauses
	edits   []edit // that made sql of written, in order
	storage.Select
}

// edit puts other words in the place of some: from byte at to before end of what was written.
type edit struct {
	at, end int
	words   string
}

// parse reads a statement, which must be one SELECT, and finds what it names.
func parse(ctx context.Context, box *duck.Conn, written string) (*text, error) {
	switch {
	case strings.TrimSpace(written) == "":
		return nil, refuse("invalid_sql", "sql: is empty. Write one SELECT.").With("field", "sql")
	case len(written) > maxText:
		return nil, refuse("invalid_sql", "sql: has %d bytes; a statement has at most %d.", len(written), maxText).With("field", "sql")
	case strings.ContainsRune(written, 0), !utf8.ValidString(written):
		return nil, refuse("invalid_sql", "sql: has a NUL character, or is not UTF-8.").With("field", "sql")
	}
	written = strings.TrimRight(written, " \t\r\n;")
	t := &text{written: written, sql: written}
	var err error
	if t.Select, err = storage.ParseSelect(ctx, box, t.sql); err != nil {
		return nil, t.explain(err)
	}
	edited, err := t.nameVersions()
	if err != nil || !edited {
		return t, err
	}
	t.Select, err = storage.ParseSelect(ctx, box, t.sql)
	return t, t.explain(err)
}

// An AT clause behind a table's name and alias, with a literal. Other expressions would have to be computed first.
var (
	name     = `"(?:[^"]|"")*"|[\pL_][\pL\pM\pN_$]*`
	atClause = regexp.MustCompile(`(?is)^(` + name + `)(\s+(?:AS\s+)?(?:` + name + `))?\s+AT\s*\(\s*(?:VERSION|TIMESTAMP)\s*=>\s*` +
		`(?:TIMESTAMPTZ|TIMESTAMP|DATE)?\s*('(?:[^']|'')*'|\d+)(?:\s*::\s*\w+)?\s*\)`)
)

// nameVersions writes a table with an AT clause as the name that means the same: employees AT (VERSION => '1.0.0') is
// "employees@1.0.0".
func (t *text) nameVersions() (edited bool, err error) {
	var out strings.Builder
	done := 0
	for _, table := range t.Tables {
		if table.Unit == "" {
			continue
		}
		m := atClause.FindStringSubmatch(t.written[table.Offset:])
		if m == nil || table.Point == "" {
			t.edits = nil
			return false, t.located(refuse("invalid_sql", "AT wants a literal, as in AT (VERSION => '1.0.0') or AT (TIMESTAMP => '2026-01-31T10:00:00Z'), behind the table's alias."), table.Offset)
		}
		ref := table.Point
		if strings.EqualFold(table.Unit, "TIMESTAMP") {
			ref = strings.Replace(ref, " ", "T", 1)
		}
		alias := m[2]
		if alias == "" {
			alias = " AS " + duck.Ident(table.Name)
		}
		e := edit{table.Offset, table.Offset + len(m[0]), duck.Ident(table.Name+"@"+ref) + alias}
		out.WriteString(t.written[done:e.at] + e.words)
		done, t.edits = e.end, append(t.edits, e)
	}
	t.sql = out.String() + t.written[done:]
	return len(t.edits) > 0, nil
}

// place finds the byte of what was written that a byte of sql stands for.
func (t *text) place(offset int) int {
	shift := 0 // by which sql is longer, so far
	for _, e := range t.edits {
		begin := e.at + shift
		if offset < begin {
			break
		}
		if offset < begin+len(e.words) {
			return e.at
		}
		shift += len(e.words) - (e.end - e.at)
	}
	return offset - shift
}

// lineAndColumn counts from 1, in characters.
func lineAndColumn(text string, offset int) (line, column int) {
	before := text[:min(offset, len(text))]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[start:]) + 1
}

// explain puts what the statement met into words, with the place in what the client wrote.
func (t *text) explain(err error) error {
	var placed *storage.Placed
	var failure *duck.Failure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &placed):
		return t.located(storage.Explain(err), placed.Offset)
	case duck.CauseOf(err) == duck.Unreadable:
		return storage.ReadError(err)
	case duck.CauseOf(err) != duck.Input, !errors.As(err, &failure):
		return storage.ClientError(err)
	}
	offset := -1
	if start := strings.Index(failure.Statement, t.sql); failure.Offset >= start && start >= 0 && failure.Offset-start <= len(t.sql) {
		offset = failure.Offset - start
	}
	return t.located(refuse("invalid_sql", "The SQL can't be run: %s", said(err, failure.Hint)), offset)
}

// How much is told of an error, characters, and of what DuckDB adds to it: that may list every function there is.
const (
	maxSaid = 500
	maxHint = 200
)

// said is what DuckDB said, as sentences.
func said(err error, hint string) string {
	out := clip(duck.Message(err), maxSaid) + "."
	if hint != "" {
		out += " " + clip(strings.Join(strings.Fields(hint), " "), maxHint)
	}
	if !strings.HasSuffix(out, "?") && !strings.HasSuffix(out, ".") {
		out += "."
	}
	return strings.ReplaceAll(out, "memory."+viewSchema+".", "")
}

// located adds the place to an error: a byte of sql, or -1.
func (t *text) located(e *storage.Error, offset int) error {
	if offset < 0 {
		return e
	}
	line, column := lineAndColumn(t.written, t.place(offset))
	placed := e.With("line", line).With("column", column)
	placed.Detail = fmt.Sprintf("Line %d, column %d: %s", line, column, e.Detail)
	return placed
}
