package storage

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// mostNames is up to how many keys are looked for in parameters. Of more, all parameters that could name one go.
const mostNames = 1000

// findMentions adds commits whose parameters may name a key, also where they touched no row of it: a conflict settled
// for the target's side, a condition that held for no record. More may go than has to, and never less, but for a
// condition that puts the key together of parts.
func (e *erasing) findMentions(ctx context.Context, r *removal) error {
	names, err := e.names(ctx)
	if err != nil {
		return err
	}
	e.named, e.isNamed = names, true
	return e.catalog.Read(ctx, func(tx catalog.Tx) error {
		datasets, err := tx.FamilyDatasets(e.dataset.FamilyID)
		if err != nil {
			return err
		}
		for _, d := range datasets {
			list, err := tx.Telling(d.ID, unsayable)
			if err != nil {
				return err
			}
			for _, c := range list {
				if mentions(c.Params, names) {
					r.unsay(commitRef{d.ID, c.ID})
				}
				if c.Merge != 0 && slices.Contains(r.unsaid, commitRef{d.ID, c.ID}) {
					r.unsay(commitRef{d.ID, c.Merge}) // which describes what it played
				}
			}
		}
		return nil
	})
}

// unsay adds a commit whose parameters may name values, unless it is there.
func (r *removal) unsay(ref commitRef) {
	if !slices.Contains(r.unsaid, ref) {
		r.unsaid = append(r.unsaid, ref)
	}
}

// names returns how parameters write the first columns of the keys; nil: that is not known, so any may be meant.
func (e *erasing) names(ctx context.Context) (names []string, err error) {
	c := e.key[0]
	if c.Type.Name != schema.Varchar && !c.Type.IsInteger() {
		return nil, nil
	}
	text := snapshot.Cast(c.Type, schema.Of(schema.Varchar), schema.ColumnName(c.ID))
	query := duck.Fill("SELECT DISTINCT {text} FROM erase_keys LIMIT {most}", duck.Parts{"text": text, "most": mostNames + 1})
	err = e.conn.Rows(ctx, query, func(scan duck.Scan) error {
		var one string
		err := scan(&one)
		names = append(names, one)
		return err
	})
	if len(names) > mostNames {
		names = nil
	}
	return names, err
}

// mentions reports whether parameters that may name values name one of the names; nil: any.
func mentions(params json.RawMessage, names []string) bool {
	var all map[string]json.RawMessage
	if json.Unmarshal(params, &all) != nil {
		return false
	}
	for _, name := range unsayable {
		value, has := all[name]
		if !has {
			continue
		}
		if names == nil || slices.ContainsFunc(textsIn(value), func(text string) bool { return hasAny(text, names) }) {
			return true
		}
	}
	return false
}

// textsIn returns the texts and the numbers in a value, however deep.
func textsIn(value json.RawMessage) (out []string) {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	for {
		token, err := d.Token()
		switch token := token.(type) {
		case string:
			out = append(out, token, plainInteger(token))
		case json.Number:
			out = append(out, token.String(), plainInteger(token.String()))
		}
		if err != nil {
			return out
		}
	}
}

// plainInteger returns the digits of an integer that is written with an exponent or a base, such as 12e2, since a key
// is found by that too; empty: it is none.
func plainInteger(text string) string {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		if n, ok := new(big.Int).SetString(text, 0); ok && len(text) <= mostDigits {
			return n.String()
		}
		return ""
	}
	if f == 0 {
		return "0"
	}
	// Beyond these bounds a short text with a large exponent would take much memory as an exact number.
	if len(text) > mostDigits || math.Abs(f) < 1 || math.Abs(f) > 1e40 {
		return ""
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok || !r.IsInt() {
		return ""
	}
	return r.Num().String()
}

// mostDigits is up to how long a text is taken for an integer.
const mostDigits = 100

// hasAny reports whether a text has one of the names, whole. In SQL, quotes are doubled.
func hasAny(text string, names []string) bool {
	text = strings.ReplaceAll(text, "''", "'")
	return slices.ContainsFunc(names, func(name string) bool { return hasWord(text, strings.ReplaceAll(name, "''", "'")) })
}

// hasWord reports whether a text has a word that is not a part of a longer one.
func hasWord(text, word string) bool {
	for at := 0; ; {
		next := strings.Index(text[at:], word)
		if next < 0 || word == "" {
			return false
		}
		start, end := at+next, at+next+len(word)
		before, _ := utf8.DecodeLastRuneInString(text[:start])
		after, _ := utf8.DecodeRuneInString(text[end:])
		if !isWord(before) && !isWord(after) {
			return true
		}
		at = start + 1
	}
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }
