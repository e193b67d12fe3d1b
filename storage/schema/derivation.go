package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// In the SQL of a derivation, "c7" stands for the column with field id 7, so that renaming the column changes nothing.
var reference = regexp.MustCompile(`"c(\d+)"`)

// Reference returns the name of a column in derivations.
func Reference(id int) string { return fmt.Sprintf(`"c%d"`, id) }

// ColumnName returns the name of a column inside the server's statements. It is made from the field id, so that it
// can't clash with users' names.
func ColumnName(id int) string { return fmt.Sprintf("c%d", id) }

// References returns the field ids that a derivation refers to, in order, with repetitions.
func References(text string) (ids []int) {
	for _, match := range reference.FindAllStringSubmatch(text, -1) {
		id, err := strconv.Atoi(match[1])
		if err != nil {
			id = 0 // no column has this id
		}
		ids = append(ids, id)
	}
	return ids
}

// Renumbered returns a derivation with some of the ids that it refers to replaced.
func Renumbered(text string, ids map[int]int) string {
	return reference.ReplaceAllStringFunc(text, func(ref string) string {
		if id, ok := ids[References(ref)[0]]; ok {
			return Reference(id)
		}
		return ref
	})
}

// DerivationText returns a column's derivation with the names of columns in s in place of references; "" if it has
// none.
func (s Schema) DerivationText(c Column) string { return s.WithNames(c.Derivation) }

// WithNames returns a derivation with the names of columns in s in place of references.
func (s Schema) WithNames(text string) string {
	return reference.ReplaceAllStringFunc(text, func(ref string) string {
		if c, ok := s.ByID(References(ref)[0]); ok {
			return quote(c.Name)
		}
		return ref
	})
}

// DerivedFrom returns the columns that are derived directly from one column.
func (s Schema) DerivedFrom(id int) (out []Column) {
	for i := range s.Columns {
		if d := s.Columns[i].Derivation; d != "" && slices.Contains(References(d), id) {
			out = append(out, s.Columns[i])
		}
	}
	return out
}

// Layers returns the derived columns in an order in which they can be computed: those of a layer need only stored
// columns and earlier layers. Columns on a cycle, and those derived from them, are left out.
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

// Cycle returns a path of derivations from a column back to itself, which includes it at both ends; nil if there is
// none.
func (s Schema) Cycle(id int) []Column { return s.path(id, id, map[int]bool{}) }

// path returns the columns on a path of derivations between two columns, both included.
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

// WithInputs returns columns, each once, with all those that they are derived from; without _id, which is always there.
func (s Schema) WithInputs(columns []Column) (all []Column) {
	known := map[int]bool{RowID: true}
	for columns = slices.Clone(columns); len(columns) > 0; columns = columns[1:] {
		c := columns[0]
		if known[c.ID] {
			continue
		}
		known[c.ID], all = true, append(all, c)
		for _, id := range References(c.Derivation) {
			if input, ok := s.ByID(id); ok {
				columns = append(columns, input)
			}
		}
	}
	return all
}
