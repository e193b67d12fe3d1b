package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// conflictAnswer is why an action can't be played.
type conflictAnswer struct {
	Action  actionAnswer     `json:"action"`
	Detail  string           `json:"detail"`
	Count   int64            `json:"count"`
	Records []recordConflict `json:"records"`
}

// recordConflict is a record that both sides changed. A side without the record is nil.
type recordConflict struct {
	Key    map[string]json.RawMessage `json:"key"`
	Cells  []cellConflict             `json:"cells"`
	Before *struct{}                  `json:"before"`
	After  *struct{}                  `json:"after"`
	Now    *struct{}                  `json:"now"`
}

// cellConflict is a value in conflict.
type cellConflict struct {
	Column string          `json:"column"`
	Base   json.RawMessage `json:"base"`
	Ours   json.RawMessage `json:"ours"`
	Theirs json.RawMessage `json:"theirs"`
}

// showConflicts prints conflicts, with the values that each side would give.
func (d datasetFlags) showConflicts(out io.Writer, list []conflictAnswer) error {
	var about struct {
		Key []string `json:"key"`
	}
	if err := d.get(d.path(), d.query(), &about); err != nil {
		return err
	}
	if len(about.Key) == 0 {
		about.Key = []string{"_id"}
	}
	for _, k := range list {
		fmt.Fprintf(out, "conflict with %s\n  %s\n", k.Action, k.Detail)
		if err := k.showRecords(out, about.Key); err != nil {
			return err
		}
	}
	return nil
}

// showRecords prints one line for each value in conflict.
func (k conflictAnswer) showRecords(out io.Writer, key []string) error {
	if len(k.Records) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  KEY\tCOLUMN\tBASE\tOURS\tTHEIRS")
	for _, r := range k.Records {
		for _, c := range r.Cells {
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", r.key(key), c.Column, value(r.Before, c.Base), value(r.Now, c.Ours),
				value(r.After, c.Theirs))
		}
	}
	if more := k.Count - int64(len(k.Records)); more > 0 {
		fmt.Fprintf(t, "  and %d more records\n", more)
	}
	return t.Flush()
}

// key formats the record's key.
func (r recordConflict) key(columns []string) string {
	values := make([]string, len(columns))
	for i, name := range columns {
		values[i] = string(r.Key[name])
	}
	return strings.Join(values, ", ")
}

// value returns a value as JSON, or a dash if its side does not have the record.
func value(side *struct{}, text json.RawMessage) string {
	if side == nil {
		return "-"
	}
	return string(text)
}
