package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// CommitFilter selects commits of a dataset, those that merges played left out. Zero values select all.
type CommitFilter struct {
	Modes        []Mode
	User         string
	Since, Until time.Time // both included
	Before       int64     // only commits with lower ids
	Limit        int
}

// part is the rest of a query for commits of one mode (empty: of all), with its arguments. What is found by an index is
// in the order of ids there. Arguments are numbered as they come in the text, which is how SQLite counts them.
func (f CommitFilter) part(dataset string, mode Mode) (query string, args []any) {
	var b strings.Builder
	b.WriteString(commitsBelow + `AND ` + isListed)
	args = []any{dataset, f.Before}
	if mode != "" {
		b.WriteString(` AND c.mode = ` + literal(mode))
	}
	if f.User != "" {
		args = append(args, f.User)
		b.WriteString(` AND c.user_name = ` + numbered(len(args)))
	}
	if !f.Since.IsZero() {
		args = append(args, micros(f.Since))
		b.WriteString(` AND +c.created_at >= ` + numbered(len(args)))
	}
	if !f.Until.IsZero() {
		args = append(args, micros(f.Until))
		b.WriteString(` AND +c.created_at <= ` + numbered(len(args)))
	}
	args = append(args, f.Limit)
	b.WriteString(newestFirst + ` LIMIT ` + numbered(len(args)))
	return b.String(), args
}

// FilteredCommits lists the commits that a filter selects, newest first. Those of a mode or a user are found by an
// index; times are compared commit by commit, in the database.
func (tx Tx) FilteredCommits(dataset string, f CommitFilter) ([]Commit, error) {
	return filtered(tx, dataset, f, commitColumns, scanCommit, func(c Commit) int64 { return c.ID })
}

// CommitMessage is a commit's message.
type CommitMessage struct {
	ID      int64
	Message string
}

// CommitMessages lists the messages of the commits that a filter selects, newest first: much less than the commits.
func (tx Tx) CommitMessages(dataset string, f CommitFilter) ([]CommitMessage, error) {
	scan := func(s scanner) (m CommitMessage, err error) { return m, s.Scan(&m.ID, &m.Message) }
	return filtered(tx, dataset, f, `c.id, c.message`, scan, func(m CommitMessage) int64 { return m.ID })
}

// filtered reads columns of what a filter selects. Each mode is asked for by itself, so that none is sorted.
func filtered[T any](
	tx Tx, dataset string, f CommitFilter, columns string, scan func(scanner) (T, error), id func(T) int64,
) (out []T, err error) {
	modes := slices.Compact(slices.Sorted(slices.Values(f.Modes)))
	if len(modes) == 0 {
		modes = []Mode{""}
	}
	for _, m := range modes {
		query, args := f.part(dataset, m)
		some, err := list(tx, scan, `SELECT `+columns+query, args...)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	slices.SortFunc(out, func(a, b T) int { return cmp.Compare(id(b), id(a)) })
	return out[:min(f.Limit, len(out))], nil
}

// numbered is the name of an argument in a query.
func numbered(n int) string { return fmt.Sprintf("$%d", n) }
