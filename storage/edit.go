package storage

import (
	"context"
	"maps"
	"reflect"

	"rowback/storage/catalog"
)

// Edit is a change of what is said of a dataset. Nil fields stay as they are; in Metadata, a nil value removes a key.
type Edit struct {
	Name           *string
	Description    *string
	Metadata       catalog.Metadata
	QualityColumn  *string
	CategoryColumn *string
	Exclusion      *catalog.Exclusion // its condition with names; empty: none any more
}

// EditDataset applies an edit, as a commit.
func (s *Store) EditDataset(ctx context.Context, dataset string, e Edit, r Request) (catalog.Commit, error) {
	if e.Name != nil {
		if err := CheckName(*e.Name); err != nil {
			return catalog.Commit{}, err
		}
	}
	w, err := s.begin(ctx, dataset, r, catalog.Edit)
	if err != nil {
		return catalog.Commit{}, err
	}
	defer w.end()
	e.apply(&w.properties)
	if e.Exclusion != nil {
		if err := w.exclude(ctx, *e.Exclusion); err != nil {
			return catalog.Commit{}, err
		}
	}
	if reflect.DeepEqual(w.properties, w.head.Properties) {
		return w.head.Commit, nil
	}
	w.tellEdit(w.head.Properties)
	return publish(ctx, w, asCommit)
}

// tellEdit records which properties the commit changed, as they are after it.
func (d *draft) tellEdit(before catalog.Properties) {
	after := d.properties
	for _, p := range []struct{ name, before, after string }{
		{"name", before.Name, after.Name}, {"description", before.Description, after.Description},
		{"quality_column", before.QualityColumn, after.QualityColumn},
		{"category_column", before.CategoryColumn, after.CategoryColumn},
	} {
		if p.before != p.after {
			d.setParam(p.name, p.after)
		}
	}
	if !reflect.DeepEqual(before.Metadata, after.Metadata) {
		d.setParam("metadata", after.Metadata)
	}
	if !reflect.DeepEqual(before.Exclusion, after.Exclusion) {
		d.setParam("exclusion", d.exclusionText())
	}
}

func (e Edit) apply(p *catalog.Properties) {
	for field, value := range map[*string]*string{
		&p.Name: e.Name, &p.Description: e.Description,
		&p.QualityColumn: e.QualityColumn, &p.CategoryColumn: e.CategoryColumn,
	} {
		if value != nil {
			*field = *value
		}
	}
	p.Metadata = maps.Clone(p.Metadata)
	for k, v := range e.Metadata {
		if v == nil {
			delete(p.Metadata, k)
			continue
		}
		p.Metadata[k] = v
	}
}
