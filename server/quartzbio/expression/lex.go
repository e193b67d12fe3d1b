package expression

import (
	"fmt"
	"strings"
	"unicode"
)

// kind is what a token is.
type kind int

const (
	endToken kind = iota
	nameToken
	numberToken
	stringToken
	signToken
)

// token is one word of an expression.
type token struct {
	kind kind
	text string // of a string, its value
	at   int    // where it begins, in characters
}

// opens and closes report whether a token is a parenthesis, bracket or brace.
func (t token) opens() bool  { return t.kind == signToken && strings.Contains("([{", t.text) }
func (t token) closes() bool { return t.kind == signToken && strings.Contains(")]}", t.text) }

// signs are the signs of more than one character; every other is one by itself.
var signs = []string{"**", "//", "==", "!=", "<=", ">="}

// lex divides an expression into tokens.
func lex(text string) (out []token, err error) {
	in := []rune(text)
	for i := 0; i < len(in); {
		start, c := i, in[i]
		switch {
		case unicode.IsSpace(c):
			i++
			continue
		case isQuote(c):
			value, end, err := quoted(in, i)
			if err != nil {
				return nil, err
			}
			i = end
			out = append(out, token{stringToken, value, start})
			continue
		case unicode.IsDigit(c) || c == '.' && i+1 < len(in) && unicode.IsDigit(in[i+1]):
			for i < len(in) && (unicode.IsDigit(in[i]) || in[i] == '.' || in[i] == '_' || isExponent(in, i)) {
				i++
			}
			out = append(out, token{numberToken, strings.ReplaceAll(string(in[start:i]), "_", ""), start})
			continue
		case unicode.IsLetter(c) || c == '_':
			for i < len(in) && (unicode.IsLetter(in[i]) || unicode.IsDigit(in[i]) || in[i] == '_') {
				i++
			}
			out = append(out, token{nameToken, string(in[start:i]), start})
			continue
		case !strings.ContainsRune("+-*/%()[]{}.,:<>=!", c):
			return nil, fmt.Errorf("%q at character %d is not known", c, i+1)
		}
		i++
		for _, sign := range signs {
			if strings.HasPrefix(string(in[start:min(start+2, len(in))]), sign) {
				i = start + 2
			}
		}
		out = append(out, token{signToken, string(in[start:i]), start})
	}
	return append(out, token{endToken, "", len(in)}), nil
}

func isQuote(c rune) bool { return c == '\'' || c == '"' }

// isExponent reports whether what is at i belongs to the exponent of a number.
func isExponent(in []rune, i int) bool {
	switch in[i] {
	case 'e', 'E':
		return true
	case '+', '-':
		return i > 0 && (in[i-1] == 'e' || in[i-1] == 'E')
	}
	return false
}

// escapes are what letters after a backslash stand for. Any other stays, as does the backslash before it.
var escapes = map[rune]string{'n': "\n", 't': "\t", 'r': "\r", '\\': `\`, '\'': `'`, '"': `"`}

// quoted reads a string literal that begins at i, in one quote or in three, and returns where it ends.
func quoted(in []rune, i int) (value string, end int, err error) {
	start, quote := i, string(in[i])
	if strings.HasPrefix(string(in[i:min(i+3, len(in))]), strings.Repeat(quote, 3)) {
		quote = strings.Repeat(quote, 3)
	}
	i += len(quote)
	var out strings.Builder
	for i < len(in) {
		if string(in[i:min(i+len(quote), len(in))]) == quote {
			return out.String(), i + len(quote), nil
		}
		if in[i] == '\\' && i+1 < len(in) {
			if text, ok := escapes[in[i+1]]; ok {
				out.WriteString(text)
				i += 2
				continue
			}
		}
		out.WriteRune(in[i])
		i++
	}
	return "", 0, fmt.Errorf("the string at character %d does not end", start+1)
}
