package cli

import (
	"encoding/json"
	"strings"
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
func (d datasetFlags) showConflicts(c console, list []conflictAnswer) error {
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
		c.printf("conflict with %s\n  %s\n", k.Action, k.Detail)
		if err := k.showRecords(c, about.Key); err != nil {
			return err
		}
	}
	return nil
}

// showRecords prints one line for each value in conflict.
func (k conflictAnswer) showRecords(c console, key []string) error {
	if len(k.Records) == 0 {
		return nil
	}
	t := c.screen.NewTable("KEY", "COLUMN", "BASE", "OURS", "THEIRS").Indented(2)
	for _, r := range k.Records {
		for _, one := range r.Cells {
			t.Row(r.key(key), one.Column, value(r.Before, one.Base), value(r.Now, one.Ours), value(r.After, one.Theirs))
		}
	}
	err := t.Print(c.out)
	if more := k.Count - int64(len(k.Records)); more > 0 {
		c.printf("  and %s\n", countOf(more, "more record"))
	}
	return err
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
