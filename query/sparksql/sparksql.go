// Package sparksql reads a client's statement in Spark SQL before an engine runs it. It accepts one query and finds the
// tables that it names. What it returns runs the same, except that each of these tables, and each common table
// expression, has a name that was made up for this statement: a name that this package overlooked would not be found by
// the engine, and none in a catalog of the engine's can be written. Only functions that compute may be called
// (functions.txt). It reads a subset of the grammar, strictly: what could be read in two ways is refused. The tests have
// statements with what becomes of them, and a table of attempts to read something else.
package sparksql

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rowback/rowback/storage/fault"
)

// Statement is a query that was read.
type Statement struct {
	SQL    string // what the engine runs
	Tables []Table
}

// Table is a table that a statement names.
type Table struct {
	Name   string // the dataset, with @ and a ref if it has one
	As     string // its name in Statement.SQL
	Offset int    // in the text, in bytes
}

// maxDepth is how many parentheses may be inside one another.
const maxDepth = 50

// Read reads a statement. prefix begins the names that are made up: nobody can guess it.
func Read(text, prefix string) (s Statement, err error) {
	tokens, err := scan(text)
	if err != nil {
		return s, err
	}
	p := &parser{text: text, tokens: tokens, prefix: prefix, edits: map[int]edit{}, inserted: map[int]string{}}
	defer func() {
		if r := recover(); r != nil {
			err = refused(r, text)
		}
	}()
	p.query()
	p.accept(";")
	if !p.ended() {
		p.refuse("expected the end of the statement here. One SELECT can run at a time")
	}
	return Statement{SQL: p.written(), Tables: p.tables}, nil
}

// refusal is why a statement is refused, and where.
type refusal struct {
	offset int
	detail string
}

func (r *refusal) Error() string { return r.detail }

// explain returns the refusal with its place in the text.
func (r *refusal) explain(text string) error {
	before := text[:min(r.offset, len(text))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	e := &fault.Error{Kind: fault.Invalid, Code: "invalid_sql",
		Detail: fmt.Sprintf("Line %d, column %d: %s.", line, column, r.detail)}
	return e.With("line", line).With("column", column)
}

// refused returns the error for a panic that is a refusal, and passes on any other.
func refused(r any, text string) error {
	why, ok := r.(*refusal)
	if !ok {
		panic(r)
	}
	return why.explain(text)
}
