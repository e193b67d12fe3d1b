package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/schema"
)

// shownConflicts is how many records a conflict shows.
const shownConflicts = 20

// conflicts returns the conflict of records, if there is one.
func (r *rowPlayer) conflicts(ctx context.Context) error {
	n, err := r.countConflicts(ctx)
	if err != nil || n == 0 {
		return err
	}
	// All are counted and the first are shown: a merge of a year may have a million.
	c := MergeConflict{Count: n}
	for i := range r.parts {
		if err := r.load(ctx, i); err != nil {
			return err
		}
		some, err := r.conflicting(ctx, r.parts[i])
		if err != nil {
			return err
		}
		c.Records = extended(c.Records, some)
	}
	for i := range c.Records {
		if err := c.Records[i].fill(r.schema.KeyColumns()); err != nil {
			return err
		}
	}
	records := "record that it changed was"
	if n > 1 {
		records = "records that it changed were"
	}
	c.Detail = fmt.Sprintf("%d %s changed here too, to something else.", n, records)
	return &conflictError{c}
}

// conflicting returns the first records in conflict, with the loaded columns.
func (r *rowPlayer) conflicting(ctx context.Context, columns []schema.Column) (out []RecordConflict, err error) {
	key := r.schema.KeyColumns()
	query := duck.Fill(firstConflicts, duck.Parts{
		"before": inConflict("p", columns), "after": inConflict("q", columns), "now": inConflict("n", columns),
		"cells": r.cellsInConflict(columns),
		"key":   keyList(key), "limit": shownConflicts, "in_order": qualified("v", key),
		"same_as_mine": sameKey(key, "v", "m"), "same_as_theirs": sameKey(key, "v", "t"),
	})
	err = r.conn.Rows(ctx, query, func(scan duck.Scan) error {
		var before, after, now *string
		var cells string
		err := scan(&before, &after, &now, &cells)
		out = append(out, RecordConflict{
			Before: raw(before), After: raw(after), Now: raw(now), Cells: r.cellsOf(strings.Fields(cells)),
		})
		return err
	})
	return out, err
}

const firstConflicts = `SELECT {before}, {after}, {now}, {cells}
	FROM (FROM verdicts WHERE verdict = 'conflict' ORDER BY {key} LIMIT {limit}) v
	JOIN mine m ON {same_as_mine} JOIN theirs t ON {same_as_theirs}
	ORDER BY {in_order}`

// inConflict is the SQL of some columns of one side of a conflict as a JSON object; null where there is no record.
func inConflict(side string, columns []schema.Column) string {
	value := func(c schema.Column) string { return fmt.Sprintf("%s%d", side, c.ID) }
	return fmt.Sprintf("CASE WHEN %s_is THEN %s END", side, output.Record(columns, value))
}

// extended adds the fields of the same records in another slice.
func extended(records, more []RecordConflict) []RecordConflict {
	if records == nil {
		return more
	}
	for i, m := range more {
		r := &records[i]
		r.Before, r.After, r.Now = joinObjects(r.Before, m.Before), joinObjects(r.After, m.After), joinObjects(r.Now, m.Now)
		r.Cells = append(r.Cells, m.Cells...)
	}
	return records
}

// joinObjects adds the fields of a JSON object to another; both are null, or neither. The objects are written by DuckDB
// and not empty, so their text is joined as it is.
func joinObjects(a, b json.RawMessage) json.RawMessage {
	if string(a) == "null" {
		return a
	}
	return slices.Concat(a[:len(a)-1], json.RawMessage(","), b[1:])
}

// raw is a record as JSON; null where there is none.
func raw(text *string) json.RawMessage {
	if text == nil {
		return json.RawMessage("null")
	}
	return json.RawMessage(*text)
}

// MergeConflict is why an action can't be played. A conflict is of variables or of records, never of both.
type MergeConflict struct {
	Action   catalog.Commit // of the source
	Detail   string
	Variable string           // of a conflict of variables: its name
	Count    int64            // of a conflict of records: how many
	Records  []RecordConflict // the first of them
}

// RecordConflict is one record that both sides changed. Records are JSON objects, or null where there is none.
type RecordConflict struct {
	Key    map[string]json.RawMessage `json:"key"`
	Cells  []CellConflict             `json:"cells"`  // the first values in conflict
	Before json.RawMessage            `json:"before"` // as the source had it before the action
	After  json.RawMessage            `json:"after"`  // as the source had it after
	Now    json.RawMessage            `json:"now"`    // as the target has it
}

// conflictError ends the playing of an action.
type conflictError struct{ conflict MergeConflict }

// Error returns the sentence of the conflict.
func (e *conflictError) Error() string { return e.conflict.Detail }

// of returns the conflict, as one of an action.
func (e *conflictError) of(a catalog.Commit) MergeConflict {
	e.conflict.Action = a
	return e.conflict
}

// onVariable is a conflict of variables.
func onVariable(name, format string, args ...any) error {
	return &conflictError{MergeConflict{Variable: name, Detail: fmt.Sprintf(format, args...)}}
}

// refusal is the error that names what conflicts.
func (m Merged) refusal() *fault.Error {
	first := m.Conflicts[0]
	text := fmt.Sprintf("The merge has a conflict with %s (commit %d of the source). %s",
		ActionKey(first.Action), first.Action.ID, first.Detail)
	switch n := len(m.Conflicts) - 1; {
	case n == 1:
		text += " 1 more action can't be played either."
	case n > 1:
		text += fmt.Sprintf(" %d more actions can't be played either.", n)
	}
	remedy := "Resolve it on either side, then merge again."
	if first.Count > 0 {
		remedy = "Merge again with on_conflict (ours or theirs), or resolve it on either side first."
	}
	switch n := len(m.Played); {
	case n == 1:
		text += " The action before it was played. "
	case n > 1:
		text += fmt.Sprintf(" The %d actions before it were played. ", n)
	default:
		text += " Nothing was changed. "
	}
	text += remedy
	return fault.Errorf(fault.Conflict, "merge_conflict",
		"%s", text).With("conflicts", m.Conflicts).With("played", m.Played)
}
