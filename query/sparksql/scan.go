package sparksql

import (
	"strings"
)

// kind is what a token is.
type kind int

const (
	word   kind = iota // a name or keyword without quotes, in ASCII
	quoted             // a name in backticks
	text               // a string in ' or "
	number
	symbol
	end
)

// token is a part of a statement.
type token struct {
	kind   kind
	raw    string // as written
	upper  string // of words: in capitals; of symbols: as written; empty: neither
	offset int
	spaced bool // there is white space or a comment before it
}

// name returns the name that a word or a quoted name is.
func (t token) name() string {
	if t.kind == quoted {
		return strings.ReplaceAll(t.raw[1:len(t.raw)-1], "``", "`")
	}
	return t.raw
}

// scan splits a statement into tokens. Comments are dropped, and hints with them.
func scan(sql string) (out []token, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = refused(r, sql)
		}
	}()
	spaced := false
	for i := 0; i < len(sql); {
		if n := blank(sql, i); n > 0 {
			i, spaced = i+n, true
			continue
		}
		t := next(sql, i)
		t.offset, t.spaced, spaced = i, spaced, false
		i += len(t.raw)
		out = append(out, t)
	}
	return append(out, token{kind: end, offset: len(sql)}), nil
}

// blank returns the length of the white space or the comment at i; 0: there is none.
func blank(sql string, i int) int {
	switch rest := sql[i:]; {
	case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
		return 1
	case strings.HasPrefix(rest, "--"):
		if n := strings.IndexByte(rest, '\n'); n >= 0 {
			return n + 1
		}
		return len(rest)
	case strings.HasPrefix(rest, "/*"):
		return comment(sql, i)
	}
	return 0
}

// comment returns the length of the comment at i. Comments may be inside one another.
func comment(sql string, i int) int {
	depth := 0
	for k := i; k+1 < len(sql); k++ {
		switch sql[k : k+2] {
		case "/*":
			depth++
			k++
		case "*/":
			depth--
			k++
			if depth == 0 {
				return k + 1 - i
			}
		}
	}
	panic(&refusal{i, "this comment does not end. Close it with */"})
}

// symbols are the characters of operators and punctuation.
const symbols = "()[],.;:?<>=!+-*/%&|^~"

// next returns the token at i.
func next(sql string, i int) token {
	c := sql[i]
	switch {
	case isLetter(c):
		n := run(sql[i:])
		raw := sql[i : i+n]
		// The prefix of raw strings, in which a backslash stands for itself.
		if strings.EqualFold(raw, "r") && i+n < len(sql) && (sql[i+n] == '\'' || sql[i+n] == '"') {
			panic(&refusal{i, "raw strings are not supported. Leave out the r and double the backslashes"})
		}
		return token{kind: word, raw: raw, upper: strings.ToUpper(raw)}
	case c >= '0' && c <= '9':
		return token{kind: number, raw: sql[i : i+run(sql[i:])]}
	case c == '\'' || c == '"':
		return token{kind: text, raw: sql[i : i+stringAt(sql, i)]}
	case c == '`':
		return token{kind: quoted, raw: sql[i : i+quotedAt(sql, i)]}
	case strings.IndexByte(symbols, c) >= 0:
		return token{kind: symbol, raw: sql[i : i+1], upper: sql[i : i+1]}
	}
	panic(&refusal{i, "unexpected character. Names with anything but letters, digits and _ are written in backticks"})
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

// run returns how many bytes are letters and digits.
func run(s string) int {
	n := 0
	for n < len(s) && (isLetter(s[n]) || s[n] >= '0' && s[n] <= '9') {
		n++
	}
	return n
}

// stringAt returns the length of the string at i: a backslash escapes what follows it, and two quotes are one. Engines
// that take a backslash for a character like any other must find the same end.
func stringAt(sql string, i int) int {
	for k := i + 1; k < len(sql); k++ {
		switch sql[k] {
		case '\\':
			if k++; k < len(sql) && sql[k] == sql[i] {
				panic(&refusal{k, "a quote after a backslash is not supported. Use the other quotes, as in \"it's\""})
			}
		case sql[i]:
			if k+1 < len(sql) && sql[k+1] == sql[i] {
				k++
				continue
			}
			return k + 1 - i
		}
	}
	panic(&refusal{i, "this string does not end"})
}

// quotedAt returns the length of the quoted name at i.
func quotedAt(sql string, i int) int {
	for k := i + 1; k < len(sql); k++ {
		if sql[k] != '`' {
			continue
		}
		if k+1 < len(sql) && sql[k+1] == '`' {
			k++
			continue
		}
		if k == i+1 {
			panic(&refusal{i, "this name is empty"})
		}
		return k + 1 - i
	}
	panic(&refusal{i, "this name does not end. Close it with a backtick"})
}
