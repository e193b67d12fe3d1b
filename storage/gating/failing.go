package gating

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// How much of the records that fail is shown.
const (
	shownRecords = 20
	shownColumns = 10  // of a record, besides its key
	shownText    = 200 // characters of a value
)

// failing returns how many records a relation of failing ones has, and the first of them in the order of the key.
func (c Checker) failing(
	ctx context.Context, s schema.Schema, columns []schema.Column, from relation,
) (n int64, records []Record, err error) {
	conn := c.Conn
	if from.client {
		scope := duck.Scope{Files: from.files, Setup: []string{c.Sandboxes.Threads(len(columns))}, Keep: len(from.files) == 0}
		if conn, err = c.Sandboxes.OpenScope(ctx, c.Commit, scope); err != nil {
			return 0, nil, err
		}
		defer conn.Close()
	}
	shown := max(c.Most, shownRecords)
	if records, err = firstOf(ctx, conn, s, columns, from, shown); err != nil || len(records) <= shown {
		return int64(len(records)), records, err
	}
	err = conn.Row(ctx, "SELECT count(*) FROM ("+from.sql+")", &n)
	return n, records[:shown], err
}

// firstOf returns the first records, and one more than are shown if there are more.
func firstOf(
	ctx context.Context, conn *duck.Conn, s schema.Schema, columns []schema.Column, from relation, shown int,
) (records []Record, err error) {
	key, others := s.KeyColumns(), withoutKey(s, columns)
	number, order := "CAST(0 AS BIGINT)", listOf(key)
	if from.numbered {
		number, order = "CAST(_n AS BIGINT)", "_n"
	}
	list := []string{number}
	for _, c := range slices.Concat(key, others) {
		list = append(list, textSQL(schema.ColumnName(c.ID)))
	}
	query := fmt.Sprintf("SELECT %s FROM (%s) ORDER BY %s LIMIT %d",
		strings.Join(list, ", "), from.sql, order, shown+1)
	err = conn.Rows(ctx, query, func(scan duck.Scan) error {
		one := Record{Key: map[string]string{}, Values: map[string]*string{}}
		texts, into := make([]string, len(list)-1), []any{&one.Number}
		for i := range texts {
			into = append(into, &texts[i])
		}
		if err := scan(into...); err != nil {
			return err
		}
		for i, c := range key {
			if text := valueOf(texts[i]); text != nil {
				one.Key[c.Name] = *text
			}
		}
		for i, c := range others {
			one.Values[c.Name] = valueOf(texts[len(key)+i])
		}
		// It was given now, and is not known to anyone.
		if from.numbered && !s.Keyed() {
			one.Key = nil
		}
		records = append(records, one)
		return nil
	})
	return records, err
}

// textSQL is the SQL of a value as a text that is not long, behind a letter; empty: null.
func textSQL(name string) string {
	return fmt.Sprintf("coalesce('v' || left(CAST(%s AS VARCHAR), %d), '')", name, shownText)
}

// valueOf returns a value that was read by textSQL; nil: null.
func valueOf(text string) *string {
	value, ok := strings.CutPrefix(text, "v")
	if !ok {
		return nil
	}
	return &value
}

// withoutKey returns the columns that are shown besides the key.
func withoutKey(s schema.Schema, columns []schema.Column) []schema.Column {
	others := slices.DeleteFunc(slices.Clone(columns), func(c schema.Column) bool {
		return slices.ContainsFunc(s.KeyColumns(), func(k schema.Column) bool { return k.ID == c.ID })
	})
	return others[:min(len(others), shownColumns)]
}

// namesOf lists columns for a sentence.
func namesOf(columns []schema.Column) string {
	names := make([]string, 0, len(columns))
	for _, c := range columns[:min(len(columns), shownColumns)] {
		names = append(names, fmt.Sprintf("%q", fault.Clip(c.Name)))
	}
	return strings.Join(names, ", ")
}

// many says a number of records.
func many(n int64) string {
	if n == 1 {
		return "There is 1 record"
	}
	return fmt.Sprintf("There are %d records", n)
}
