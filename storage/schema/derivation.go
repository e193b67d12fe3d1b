package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// In the SQL of a derivation "c7" stands for the column with field id 7, so that renaming that column changes nothing.
var reference = regexp.MustCompile(`"c(\d+)"`)

// Reference is how a derivation names a column.
func Reference(id int) string { return fmt.Sprintf(`"c%d"`, id) }

// ColumnName is the name of a column inside statements of ours: of its field id, so that no user's name can get in the
// way.
func ColumnName(id int) string { return fmt.Sprintf("c%d", id) }

// References returns the field ids that a text refers to, in order, as often as it does.
func References(text string) (ids []int) {
	for _, match := range reference.FindAllStringSubmatch(text, -1) {
		id, err := strconv.Atoi(match[1])
		if err != nil {
			id = 0 // no column has it
		}
		ids = append(ids, id)
	}
	return ids
}

// Renumbered returns a text that refers to columns with other ids for some of them.
func Renumbered(text string, ids map[int]int) string {
	return reference.ReplaceAllStringFunc(text, func(ref string) string {
		if id, ok := ids[References(ref)[0]]; ok {
			return Reference(id)
		}
		return ref
	})
}

// DerivationText returns a column's derivation with the names that the columns have in s; empty where it has none.
func (s Schema) DerivationText(c Column) string { return s.WithNames(c.Derivation) }

// WithNames returns a text that refers to columns with their names in place of the references.
func (s Schema) WithNames(text string) string {
	return reference.ReplaceAllStringFunc(text, func(ref string) string {
		if c, ok := s.ByID(References(ref)[0]); ok {
			return quote(c.Name)
		}
		return ref
	})
}

// DerivedFrom returns the columns that are derived from one column, not counting what is derived from those.
func (s Schema) DerivedFrom(id int) (out []Column) {
	for i := range s.Columns {
		if d := s.Columns[i].Derivation; d != "" && slices.Contains(References(d), id) {
			out = append(out, s.Columns[i])
		}
	}
	return out
}

// Layers returns the derived columns in the order they can be computed in: those of a layer need only stored columns
// and earlier layers. Columns that are derived from each other are in none.
func (s Schema) Layers() (layers [][]Column) {
	waiting := slices.DeleteFunc(slices.Clone(s.Columns), func(c Column) bool { return !c.Derived() })
	for {
		needs := func(c Column) bool {
			return slices.ContainsFunc(References(c.Derivation), func(id int) bool {
				return slices.ContainsFunc(waiting, func(w Column) bool { return w.ID == id })
			})
		}
		var ready, rest []Column
		for _, c := range waiting {
			if needs(c) {
				rest = append(rest, c)
			} else {
				ready = append(ready, c)
			}
		}
		if len(ready) == 0 {
			return layers
		}
		layers, waiting = append(layers, ready), rest
	}
}

// Cycle returns the columns on the way from a column back to itself, both ends included; none where there is no way.
func (s Schema) Cycle(id int) []Column { return s.path(id, id, map[int]bool{}) }

// path returns the columns from one to what it is derived from, and on to another.
func (s Schema) path(from, to int, seen map[int]bool) []Column {
	c, ok := s.ByID(from)
	if !ok || seen[from] {
		return nil
	}
	seen[from] = true
	for _, id := range References(c.Derivation) {
		if id == to {
			end, _ := s.ByID(to)
			return []Column{c, end}
		}
		if rest := s.path(id, to, seen); rest != nil {
			return append([]Column{c}, rest...)
		}
	}
	return nil
}
