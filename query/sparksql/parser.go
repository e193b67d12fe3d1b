package sparksql

import (
	"fmt"
	"slices"
	"strings"
)

// parser reads tokens from the first to the last. It refuses by a panic with a *refusal.
type parser struct {
	text   string
	tokens []token
	at     int
	depth  int
	prefix string
	tables []Table
	scopes []map[string]string // the common table expressions that can be named here, by name in lower case
	made   int                 // how many names were made up
	edits  map[int]edit        // by the token that they begin with

	inserted map[int]string // words before tokens
}

// edit replaces tokens, up to but not including one, by words.
type edit struct {
	to    int
	words string
}

func (p *parser) peek() token       { return p.tokens[p.at] }
func (p *parser) after(n int) token { return p.tokens[min(p.at+n, len(p.tokens)-1)] }
func (p *parser) ended() bool       { return p.peek().kind == end }

func (p *parser) refuse(format string, args ...any) {
	panic(&refusal{p.peek().offset, fmt.Sprintf(format, args...)})
}

// is reports whether the next token is one of some keywords or symbols.
func (p *parser) is(of ...string) bool { return isOneOf(p.peek(), of...) }

func isOneOf(t token, of ...string) bool { return t.upper != "" && slices.Contains(of, t.upper) }

// accept reads the next token if it is one of some keywords or symbols.
func (p *parser) accept(of ...string) bool {
	if !p.is(of...) {
		return false
	}
	p.at++
	return true
}

// expect reads a keyword or symbol that must come now.
func (p *parser) expect(what string) {
	if !p.accept(what) {
		p.refuse("expected %s here. A keyword that is meant as a name is written in backticks", what)
	}
}

// isName reports whether a token can be a name: keywords that begin or end a clause are none without backticks.
func isName(t token) bool {
	return t.kind == quoted || t.kind == word && !reserved[t.upper]
}

// name reads a name.
func (p *parser) name() token {
	if !isName(p.peek()) {
		p.refuse("expected a name here. A keyword that is meant as one is written in backticks")
	}
	p.at++
	return p.tokens[p.at-1]
}

// inside reads what is between parentheses, of which the first is next.
func (p *parser) inside(read func()) {
	p.expect("(")
	if p.depth++; p.depth > maxDepth {
		p.refuse("more than %d parentheses are inside one another", maxDepth)
	}
	read()
	p.depth--
	p.expect(")")
}

// makeName returns a new name for the engine.
func (p *parser) makeName() string {
	p.made++
	return fmt.Sprintf("%s_%d", p.prefix, p.made)
}

// quote returns a name in backticks.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// written returns the statement with the edits, and without comments and the last semicolon.
func (p *parser) written() string {
	var out strings.Builder
	for i := 0; i < len(p.tokens); {
		t := p.tokens[i]
		out.WriteString(p.inserted[i])
		if t.spaced && out.Len() > 0 {
			out.WriteByte(' ')
		}
		if e, ok := p.edits[i]; ok {
			out.WriteString(" " + e.words)
			i = e.to
			continue
		}
		if t.upper != ";" {
			out.WriteString(t.raw)
		}
		i++
	}
	return strings.TrimSpace(out.String())
}

// set is a set of words.
func set(words string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		out[w] = true
	}
	return out
}

// reserved are keywords that begin or end a part of a query.
var reserved = set(`SELECT FROM WHERE GROUP HAVING QUALIFY ORDER SORT CLUSTER DISTRIBUTE LIMIT OFFSET WINDOW UNION EXCEPT
	MINUS SETMINUS INTERSECT JOIN INNER CROSS LEFT RIGHT FULL OUTER NATURAL SEMI ANTI ON USING LATERAL VIEW PIVOT UNPIVOT
	TABLESAMPLE TABLE VALUES WITH AS STREAM MATCH_RECOGNIZE ASOF DISTINCT ALL AND OR NOT IN IS BETWEEN
	LIKE ILIKE RLIKE CASE WHEN THEN ELSE END EXISTS`)

// before puts words before a token, which may be replaced itself.
func (p *parser) before(at int, words string) {
	p.inserted[at] += words
}
