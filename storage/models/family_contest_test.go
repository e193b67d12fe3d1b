package models

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/rowback/rowback/storage"
)

// contest is a record that an action changed and the target too, otherwise.
type contest struct {
	before, after, now *row
	both               map[string]string // the columns that both sides know
	byValue            bool              // values are compared: both sides have the record, and merge by column
}

// value is that of a column of a record; nil where there is none.
func value(r *row, column string) any {
	if r == nil {
		return nil
	}
	return r.values[column]
}

// clashing are the columns that both sides changed, to different ends.
func (c contest) clashing() (out []string) {
	for name := range c.both {
		b, a, n := value(c.before, name), value(c.after, name), value(c.now, name)
		if !reflect.DeepEqual(a, b) && !reflect.DeepEqual(n, b) && !reflect.DeepEqual(n, a) {
			out = append(out, name)
		}
	}
	return out
}

// settledBy reports whether what the source made of the record later is what is here.
func (c contest) settledBy(later *row) bool {
	if equalRows(c.now, later, c.both) {
		return true
	}
	if !c.byValue || later == nil {
		return false
	}
	for _, name := range c.clashing() {
		if !reflect.DeepEqual(value(c.now, name), value(later, name)) {
			return false
		}
	}
	return true
}

// ours is the record with what only the action changed.
func (c contest) ours() *row {
	if !c.byValue {
		return c.now
	}
	return c.mixed(func(name string) bool { return reflect.DeepEqual(value(c.now, name), value(c.before, name)) })
}

// theirs is the record with all that the action changed.
func (c contest) theirs(columns map[string]string) *row {
	if !c.byValue {
		return overlaid(c.now, c.after, columns, c.both)
	}
	return c.mixed(func(name string) bool { return !reflect.DeepEqual(value(c.after, name), value(c.before, name)) })
}

// mixed is the record that is here, with some of the values that the action left.
func (c contest) mixed(played func(column string) bool) *row {
	out := &row{key: c.after.key, tag: c.after.tag, values: map[string]any{}}
	for name, v := range c.now.values {
		if _, known := c.both[name]; !known || !played(name) {
			out.values[name] = v
		}
	}
	for name := range c.both {
		if v := value(c.after, name); v != nil && played(name) {
			out.values[name] = v
		}
	}
	if reflect.DeepEqual(out.values, c.now.values) {
		return c.now
	}
	return out
}

// take is what the request says of a record's conflicts in an action.
func (p *replay) take(a *deed, key int64) storage.Take {
	for _, r := range p.merge.Resolve {
		if (r.Hash == "" || r.Hash == a.hash) && (r.Key == nil || string(r.Key[p.family.keyName()]) == fmt.Sprint(key)) {
			return r.Take
		}
	}
	return p.merge.OnConflict
}

// someTakes decides conflicts now and then.
func (f *family) someTakes(m *storage.Merge, source, target *member) {
	takes := []storage.Take{storage.Ours, storage.Theirs}
	if f.rng.IntN(3) == 0 {
		m.OnConflict = takes[f.rng.IntN(2)]
	}
	list := source.missing(target)
	for len(list) > 0 && f.rng.IntN(3) == 0 {
		r := storage.Resolution{Take: takes[f.rng.IntN(2)]}
		if f.rng.IntN(2) == 0 {
			r.Hash = list[f.rng.IntN(len(list))].hash
		}
		if r.Hash == "" || f.rng.IntN(2) == 0 {
			r.Key = map[string]json.RawMessage{f.keyName(): json.RawMessage(fmt.Sprint(f.someKeys(1)[0]))}
		}
		m.Resolve = append(m.Resolve, r)
	}
}
