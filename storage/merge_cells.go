package storage

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/schema"
)

// shownCells is how many values of a record a conflict shows.
const shownCells = 100

// CellConflict is one value that both sides changed, or one side in a record that the other removed. It is null where a
// side does not have the record. It is what a person looks at to decide; the record's other values are in
// RecordConflict.
type CellConflict struct {
	Column string          `json:"column"`
	Base   json.RawMessage `json:"base"`   // as the source had it before the action
	Ours   json.RawMessage `json:"ours"`   // as the target has it
	Theirs json.RawMessage `json:"theirs"` // as the source had it after the action
}

// cellsInConflict is the SQL of the ids of the columns in conflict, as words: those that clash where records merge by
// column, else all that either side changed.
func (r *rowPlayer) cellsInConflict(columns []schema.Column) string {
	compared, list := r.compared(), []string{"''"}
	for _, c := range columns {
		if compared[c.ID] {
			list = append(list, fmt.Sprintf("CASE WHEN CASE WHEN v.by_value THEN "+clashes+" ELSE "+changed+
				" END THEN '%[1]d' END", c.ID))
		}
	}
	return "concat_ws(' ', " + strings.Join(list, ", ") + ")"
}

const changed = `coalesce(n_is, false) AND n%[1]d IS DISTINCT FROM p%[1]d
	OR coalesce(q_is, false) AND q%[1]d IS DISTINCT FROM p%[1]d`

// cellsOf names columns by their ids.
func (r *rowPlayer) cellsOf(ids []string) (out []CellConflict) {
	for _, text := range ids {
		if id, err := strconv.Atoi(text); err == nil {
			c, _ := r.schema.ByID(id)
			out = append(out, CellConflict{Column: c.Name})
		}
	}
	return out
}

// fill gives a conflict its key and the values of its cells, which the records have. The sides that have the record
// agree on its key.
func (r *RecordConflict) fill(key []schema.Column) error {
	var before, after, now map[string]json.RawMessage
	for _, side := range []struct {
		text json.RawMessage
		into *map[string]json.RawMessage
	}{{r.Before, &before}, {r.After, &after}, {r.Now, &now}} {
		if err := json.Unmarshal(side.text, side.into); err != nil {
			return err
		}
	}
	r.Key = map[string]json.RawMessage{}
	for _, c := range key {
		for _, side := range []map[string]json.RawMessage{now, after, before} {
			if value, ok := side[c.Name]; ok {
				r.Key[c.Name] = value
			}
		}
	}
	r.Cells = r.Cells[:min(len(r.Cells), shownCells)]
	for i := range r.Cells {
		c := &r.Cells[i]
		c.Base, c.Ours, c.Theirs = before[c.Column], now[c.Column], after[c.Column]
	}
	if r.Cells == nil {
		r.Cells = []CellConflict{}
	}
	return nil
}
