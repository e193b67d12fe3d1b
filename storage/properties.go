package storage

import (
	"maps"
	"reflect"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
)

// property is one property of a dataset. Creation, edits, rollbacks of edits and the log of an edit all go by the list
// of properties, so that none is forgotten in one of these places.
type property struct {
	name string                                // in JSON, and of what a rollback undoes
	of   func(p *catalog.Properties) any       // a pointer to it
	edit func(p *catalog.Properties, e Edit)   // makes it what an edit says, if that says anything
	tell func(d *draft) (param string, as any) // how the log of an edit has it
}

// Edit is a change of what is said of a dataset. Nil fields stay as they are; in Metadata, a nil value removes a key.
type Edit struct {
	Name           *string
	Description    *string
	Metadata       catalog.Metadata
	QualityColumn  *string
	CategoryColumn *string
	Required       *[]string
	Notes          *string
	Archived       *bool
	Published      *bool
	Exclusion      *catalog.Exclusion // its condition with names; empty: none any more

	MergeGranularity *catalog.Granularity
	Retention        *catalog.Retention // one without limits: keep everything
}

var properties = []property{
	editable("name", func(p *catalog.Properties) *string { return &p.Name }, func(e Edit) *string { return e.Name }),
	editable("description", func(p *catalog.Properties) *string { return &p.Description },
		func(e Edit) *string { return e.Description }),
	editable("quality_column", func(p *catalog.Properties) *string { return &p.QualityColumn },
		func(e Edit) *string { return e.QualityColumn }),
	editable("category_column", func(p *catalog.Properties) *string { return &p.CategoryColumn },
		func(e Edit) *string { return e.CategoryColumn }),
	editable("notes", func(p *catalog.Properties) *string { return &p.Notes }, func(e Edit) *string { return e.Notes }),
	editable("archived", func(p *catalog.Properties) *bool { return &p.Archived },
		func(e Edit) *bool { return e.Archived }),
	{
		name: "draft", of: func(p *catalog.Properties) any { return &p.Unpublished },
		edit: func(p *catalog.Properties, e Edit) {
			if e.Published != nil {
				p.Unpublished = !*e.Published
			}
		},
		// Its opposite is what clients say.
		tell: func(d *draft) (string, any) { return "published", !d.properties.Unpublished },
	},
	{
		name: "metadata", of: func(p *catalog.Properties) any { return &p.Metadata },
		edit: editMetadata,
		tell: func(d *draft) (string, any) { return "metadata", d.properties.Metadata },
	},
	{
		name: "required", of: func(p *catalog.Properties) any { return &p.Required },
		edit: func(p *catalog.Properties, e Edit) {
			if e.Required != nil {
				p.Required = append([]string(nil), *e.Required...) // nil if there are none, as it is stored
			}
		},
		tell: func(d *draft) (string, any) { return "required", orEmptyList(d.properties.Required) },
	},
	{
		name: "merge_granularity", of: func(p *catalog.Properties) any { return &p.MergeGranularity },
		edit: func(p *catalog.Properties, e Edit) {
			// A dataset of an older program says none and is by row: to ask for that again changes nothing.
			if e.MergeGranularity != nil && *e.MergeGranularity != p.Granularity() {
				p.MergeGranularity = *e.MergeGranularity
			}
		},
		tell: func(d *draft) (string, any) { return "merge_granularity", d.properties.MergeGranularity },
	},
	{
		name: "exclusion", of: func(p *catalog.Properties) any { return &p.Exclusion },
		edit: func(*catalog.Properties, Edit) {}, // by exclude, which binds it to the columns
		tell: func(d *draft) (string, any) { return "exclusion", d.exclusionText() },
	},
	{
		name: "retention", of: func(p *catalog.Properties) any { return &p.Retention },
		edit: func(p *catalog.Properties, e Edit) {
			if e.Retention != nil {
				p.Retention = limited(e.Retention)
			}
		},
		tell: func(d *draft) (string, any) { return "retention", d.properties.Retention },
	},
	{
		name: "gates", of: func(p *catalog.Properties) any { return &p.Gates },
		edit: func(*catalog.Properties, Edit) {}, // by SetGates, which binds them to the columns
		tell: func(d *draft) (string, any) { return "gates", Gates(d.state()) },
	},
}

// editable is a property that an edit replaces, and that the log has as it is.
func editable[T any](name string, of func(*catalog.Properties) *T, given func(Edit) *T) property {
	return property{
		name: name, of: func(p *catalog.Properties) any { return of(p) },
		edit: func(p *catalog.Properties, e Edit) {
			if value := given(e); value != nil {
				*of(p) = *value
			}
		},
		tell: func(d *draft) (string, any) { return name, *of(&d.properties) },
	}
}

// editMetadata sets keys, and removes those that are given no value.
func editMetadata(p *catalog.Properties, e Edit) {
	p.Metadata = maps.Clone(p.Metadata)
	for k, v := range e.Metadata {
		if v == nil {
			delete(p.Metadata, k)
			continue
		}
		p.Metadata[k] = v
	}
}

// changedFields are the names of the properties that differ.
func changedFields(a, b catalog.Properties) (out []string) {
	for _, one := range properties {
		if !reflect.DeepEqual(one.of(&a), one.of(&b)) {
			out = append(out, one.name)
		}
	}
	return out
}

// withFields returns p with some of its properties taken from another. It is what a rollback of an edit does: the
// fields that the edit changed are as they were, the others stay.
func withFields(p, from catalog.Properties, names []string) catalog.Properties {
	for _, one := range properties {
		if slices.Contains(names, one.name) {
			reflect.ValueOf(one.of(&p)).Elem().Set(reflect.ValueOf(one.of(&from)).Elem())
		}
	}
	return p
}

// ofCopy are the properties of a copy of a dataset: all that is said of its records. How people work on it is not: a
// copy is made to be worked on, and whether it is published is decided anew.
func ofCopy(p catalog.Properties, name string) catalog.Properties {
	p.Name, p.Archived, p.Unpublished = name, false, false
	return p
}

// exclusionText is the condition of the exclusion, with names; empty where there is none.
func (d *draft) exclusionText() string {
	if d.properties.Exclusion == nil {
		return ""
	}
	return d.schema.WithNames(d.properties.Exclusion.Condition)
}
