package schema

import (
	"reflect"
	"slices"
)

// SameDefinition reports whether two columns with the same name, added on both sides of a merge, may be treated as one.
// If they were not declared explicitly but came with records, their types may differ, as long as c's widens to hold
// d's, and so may what their extensions say of the values.
func SameDefinition(c, d Column, explicit bool) bool {
	if _, ok := Widen(c.Type, d.Type); ok && !explicit {
		d.Type = c.Type
	}
	if both, ok := c.Extension.Joined(d.Extension); ok && !explicit {
		c.Extension, d.Extension = both, both
	}
	d.ID = c.ID
	return reflect.DeepEqual(c, d)
}

// Renumbered returns the schema with some ids of columns replaced, in derivations too.
func (s Schema) Renumbered(ids map[int]int) Schema {
	s.Columns = slices.Clone(s.Columns)
	for i, c := range s.Columns {
		if id, ok := ids[c.ID]; ok {
			s.Columns[i].ID = id
		}
		s.Columns[i].Derivation, s.Columns[i].Expression = Renumbered(c.Derivation, ids), Renumbered(c.Expression, ids)
	}
	return s
}
