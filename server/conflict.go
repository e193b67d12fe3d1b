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
	Before map[string]json.RawMessage `json:"before"`
	After  map[string]json.RawMessage `json:"after"`
	Now    map[string]json.RawMessage `json:"now"`
}

// showConflicts prints conflicts, with the values that differ in each record.
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

// showRecords prints one line for each value that differs between the sides.
func (k conflictAnswer) showRecords(out io.Writer, key []string) error {
	if len(k.Records) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  KEY\tCOLUMN\tBEFORE\tAFTER\tNOW")
	for _, r := range k.Records {
		for _, column := range r.differing() {
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", r.key(key), column, value(r.Before, column), value(r.After, column),
				value(r.Now, column))
		}
	}
	if more := k.Count - int64(len(k.Records)); more > 0 {
		fmt.Fprintf(t, "  and %d more records\n", more)
	}
	return t.Flush()
}

// differing returns the columns whose values differ between the sides.
func (r recordConflict) differing() (names []string) {
	all := map[string]bool{}
	for _, side := range []map[string]json.RawMessage{r.Before, r.After, r.Now} {
		for name := range side {
			all[name] = true
		}
	}
	for _, name := range sorted(all) {
		if b, a, n := value(r.Before, name), value(r.After, name), value(r.Now, name); b != a || a != n {
			names = append(names, name)
		}
	}
	return names
}

// key formats the record's key, from the first side that has it.
func (r recordConflict) key(columns []string) string {
	for _, side := range []map[string]json.RawMessage{r.Before, r.After, r.Now} {
		if side == nil {
			continue
		}
		values := make([]string, len(columns))
		for i, name := range columns {
			values[i] = value(side, name)
		}
		return strings.Join(values, ", ")
	}
	return ""
}

// value returns a column of a record as JSON, or a dash if the side does not have the record.
func value(side map[string]json.RawMessage, column string) string {
	if side == nil {
		return "-"
	}
	return string(side[column])
}
