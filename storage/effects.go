package storage

import (
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// effects are what the commit did beside changing records. Those of a merge are those of all that it played. Cleared
// and filled columns were noted while the records were written; nothing is read for them.
func (w *work) effects() *catalog.Effects {
	cleared, filled := slices.Clone(w.writer.cleared), slices.Clone(w.writer.filled)
	for _, p := range w.played {
		cleared = append(cleared, columnIDs(p.schema, p.commit.Effects.ColumnsCleared)...)
		filled = append(filled, columnIDs(p.schema, p.commit.Effects.ColumnsFilled)...)
	}
	after := w.state()
	return &catalog.Effects{
		SchemaChanges:  schema.Changes(w.drafts()[0].head.Schema, w.schema),
		ColumnsCleared: w.columnsAmong(cleared), ColumnsFilled: w.columnsAmong(filled),
		Warnings: append(after.Warnings(), w.warnings...),
	}
}

// columnsAmong returns the names of the columns that are among some ids. One that the commit removed is not.
func (d *draft) columnsAmong(some []int) []string {
	names, among := []string{}, setOf(some)
	for _, c := range d.schema.Stored() {
		if among[c.ID] {
			names = append(names, c.Name)
		}
	}
	return names
}

// columnIDs returns the ids of the columns that have some names in a schema. Effects say names, as they were then; a
// later commit may have renamed the columns.
func columnIDs(s schema.Schema, names []string) (ids []int) {
	among := setOf(names)
	for _, c := range s.Stored() {
		if among[c.Name] {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// setOf returns a list as a set.
func setOf[T comparable](list []T) map[T]bool {
	set := make(map[T]bool, len(list))
	for _, one := range list {
		set[one] = true
	}
	return set
}
