package schema

import (
	"reflect"
	"slices"
)

// SameDefinition reports whether two columns of one name are one. Those that came with records, not by anyone's word,
// may differ in type, if one can take the other's values.
func SameDefinition(c, d Column, explicit bool) bool {
	if _, ok := Widen(c.Type, d.Type); ok && !explicit {
		d.Type = c.Type
	}
	d.ID = c.ID
	return reflect.DeepEqual(c, d)
}

// Renumbered returns the schema with other ids of columns, in derivations too.
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
