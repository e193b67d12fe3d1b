package query

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/output"
)

// text is a statement and the names in it. Positions in errors are those of written, whatever is edited before it runs.
type text struct {
	written string // as the client wrote it
	sql     string // as it runs: with names in place of AT clauses
	edits   []edit // from written to sql, in order
	clientsql.Select
	asked []string // the parameters of the original statement
}

// edit replaces a part of the original statement: from byte at up to byte end.
type edit struct {
	at, end int
	words   string
}

// checkText refuses a statement that the parser need not see: no sandbox is opened for it.
func checkText(written string) error {
	switch {
	case strings.TrimSpace(written) == "":
		return refuse("invalid_sql", "sql: is empty. Write one SELECT.").With("field", "sql")
	case len(written) > maxText:
		return refuse("invalid_sql", "sql: has %d bytes, and the limit is %d.", len(written), maxText).With("field", "sql")
	case strings.ContainsRune(written, 0), !utf8.ValidString(written):
		return refuse("invalid_sql", "sql: has a NUL character, or is not UTF-8.").With("field", "sql")
	}
	return nil
}

// parse parses a statement, which must be one SELECT, and finds the names in it. DuckDB's own parser decides what a
// statement is; only AT and the end are found in the text.
func parse(ctx context.Context, box *duck.Conn, written string) (*text, error) {
	t := &text{written: written, sql: written}
	var err error
	if t.Select, err = clientsql.ParseSelect(ctx, box, written); err != nil {
		return nil, t.explain(err)
	}
	t.asked = t.Parameters
	return t, t.dropEnd(ctx, box)
}

// atEnd is what may follow a statement.
var atEnd = regexp.MustCompile(`(?s)^(?:[\s;]|--[^\n]*(?:\n|$)|/\*.*?\*/)*$`)

// dropEnd removes the semicolon from a statement's end, and the comments after it. A semicolon inside a string or
// comment is recognized by what is before it, which is then not a statement, or the same statement. The statement
// becomes part of another one, in parentheses, where neither may stand.
func (t *text) dropEnd(ctx context.Context, box *duck.Conn) error {
	for i, c := range t.written {
		if c != ';' || !atEnd.MatchString(t.written[i:]) {
			continue
		}
		if s, err := clientsql.ParseSelect(ctx, box, t.written[:i]); err == nil {
			t.written, t.sql, t.Select = t.written[:i], t.written[:i], s
			return nil
		}
	}
	return nil
}

// place converts a byte offset in sql to one in the original statement. An offset within replaced words is that of the
// clause that they replace.
func (t *text) place(offset int) int {
	shift := 0 // how many bytes longer sql is up to here
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

// explain turns an error into a fault, with the position in the client's text. What DuckDB says of the client's SQL is
// shown; what it says of anything else is logged and answered as internal.
func (t *text) explain(err error) error {
	var refusal *clientsql.Refusal
	var failure *duck.Failure
	var typ *output.TypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		return t.located(storage.Explain(err), refusal.Offset)
	case errors.As(err, &typ):
		return refuse("unsupported_type", "%s", typ.Error())
	case duck.CauseOf(err) != duck.Input, !errors.As(err, &failure):
		return clientsql.Explain(err)
	}
	offset := -1
	// The client's text is within the statement that ran.
	if start := strings.Index(failure.Statement, t.sql); failure.Offset >= start && start >= 0 &&
		failure.Offset-start <= len(t.sql) {
		offset = failure.Offset - start
	}
	return t.located(refuse("invalid_sql", "The SQL can't be run: %s", messageOf(err, failure.Hint)), offset)
}

// The most characters of DuckDB's message and of its hint, which may list every function there is.
const (
	maxMessage = 500
	maxHint    = 200
)

// messageOf returns DuckDB's message and hint as sentences.
func messageOf(err error, hint string) string {
	out := clip(duck.Message(err), maxMessage) + "."
	if hint != "" {
		out += " " + clip(strings.Join(strings.Fields(hint), " "), maxHint)
	}
	if !strings.HasSuffix(out, "?") && !strings.HasSuffix(out, ".") && !strings.HasSuffix(out, "…") {
		out += "."
	}
	return ours.Replace(settings.ReplaceAllString(out, ""))
}

// The parts of DuckDB's messages that clients can't use: the schema of the sandbox's views, settings and extensions.
var (
	ours     = strings.NewReplacer("memory."+viewSchema+".", "", `"`+viewSchema+".", `"`)
	settings = regexp.MustCompile(`\s*(?:To [^.]*, )?[Uu]se "?SET [^.]*\.|\s*Please try installing .*`)
)

// located adds the position to an error. offset is in bytes in sql; -1 means unknown.
func (t *text) located(e *fault.Error, offset int) error {
	if offset < 0 {
		return e
	}
	line, column := lineAndColumn(t.written, t.place(offset))
	placed := e.With("line", line).With("column", column)
	placed.Detail = fmt.Sprintf("Line %d, column %d: %s", line, column, e.Detail)
	return placed
}
