package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// recordKey reads a record's key as clients write it: the value of a key of one column, or a JSON object with all of
// the key's columns. The bounds are of the first column, as those of files are.
func recordKey(
	ctx context.Context, conn *duck.Conn, key []schema.Column, text string,
) (k snapshot.RecordKey, err error) {
	texts, err := keyTexts(key, text)
	if err != nil {
		return k, err
	}
	k = snapshot.RecordKey{Columns: key}
	for i, c := range key {
		if err := checkKeyValue(ctx, conn, c, texts[i]); err != nil {
			return k, err
		}
		k.Values = append(k.Values, snapshot.Cast(schema.Of(schema.Varchar), c.Type, duck.Text(texts[i])))
	}
	order := snapshot.OrderOf(key[0].Type)
	var least, greatest *string
	err = conn.Row(ctx, "SELECT "+order.SQL("v")+" FROM (SELECT "+k.Values[0]+" AS v)", &least, &greatest)
	k.Bounds = order.Bounds(least, greatest)
	return k, err
}

// keyTexts returns the texts of the values of a key, in the order of its columns.
func keyTexts(key []schema.Column, text string) ([]string, error) {
	var members map[string]json.RawMessage
	isObject := strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &members) == nil
	if len(key) == 1 {
		// A text may look like an object: it is the key's object only if it has the key's column, and nothing else.
		if _, ok := members[key[0].Name]; !isObject || !ok || len(members) > 1 {
			return []string{text}, nil
		}
	}
	if !isObject {
		return nil, badKey("The key of this dataset has the columns %s. Send key as a JSON object with a value for each.",
			keyNames(key))
	}
	out := make([]string, len(key))
	for i, c := range key {
		value, ok := members[c.Name]
		if !ok {
			return nil, badKey("The key of this dataset has the columns %s, and %q is missing. Send a value for each.",
				keyNames(key), c.Name)
		}
		delete(members, c.Name)
		var err error
		if out[i], err = keyText(c, value); err != nil {
			return nil, err
		}
	}
	for name := range members {
		return nil, badKey("%q is not in the key of this dataset, which has the columns %s. Leave it out.",
			fault.Clip(name), keyNames(key))
	}
	return out, nil
}

// keyText returns the text of a value in JSON.
func keyText(c schema.Column, value json.RawMessage) (text string, err error) {
	switch value[0] {
	case '"':
		return text, json.Unmarshal(value, &text)
	case '{', '[':
		return "", badKey("The value of %q is not a single value. Send a string, a number, true or false.", c.Name)
	case 'n':
		return "", badKey("The value of %q is null, which is in no key. Send the value that the record has.", c.Name)
	}
	return string(value), nil
}

// checkKeyValue makes sure that the text is a value of the column's type, by the rules for uploads.
func checkKeyValue(ctx context.Context, conn *duck.Conn, c schema.Column, text string) error {
	if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
		return badKey("The value of %q is not valid text: it has a NUL character, or is not UTF-8.", c.Name)
	}
	fits, err := isValueOf(ctx, conn, c, text)
	if err == nil && !fits {
		return badKey("%q is not a value of the key column %q, which is %s.", fault.Clip(text), c.Name, c.Type)
	}
	return err
}

// isValueOf reports whether a text is a value of the column's type, by the rules for uploads: nothing of it may be
// lost.
func isValueOf(ctx context.Context, conn *duck.Conn, c schema.Column, text string) (fits bool, err error) {
	query := fmt.Sprintf("SELECT coalesce(%s, false) FROM (SELECT %s AS v)", textFits("v", c.Type), duck.Text(text))
	return fits, conn.Row(ctx, query, &fits)
}

// badKey is the refusal of a key. It says how a key is written.
func badKey(format string, args ...any) error {
	return fault.Errorf(fault.Invalid, "invalid_record_key", format, args...).With("field", "key")
}
