package storage

import (
	"context"
	"maps"
	"reflect"
	"slices"

	"rowback/storage/catalog"
	"rowback/storage/fault"
)

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
}

// EditDataset applies an edit, as a commit.
func (s *Store) EditDataset(ctx context.Context, dataset string, e Edit, r Request) (catalog.Commit, error) {
	if e.Name != nil {
		if err := CheckName(*e.Name); err != nil {
			return catalog.Commit{}, err
		}
	}
	if e.Required != nil {
		if err := checkRequiredNames(*e.Required); err != nil {
			return catalog.Commit{}, err
		}
	}
	if e.MergeGranularity != nil {
		if err := checkGranularity(*e.MergeGranularity); err != nil {
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
		{"category_column", before.CategoryColumn, after.CategoryColumn}, {"notes", before.Notes, after.Notes},
		{"merge_granularity", string(before.MergeGranularity), string(after.MergeGranularity)},
	} {
		if p.before != p.after {
			d.setParam(p.name, p.after)
		}
	}
	if before.Archived != after.Archived {
		d.setParam("archived", after.Archived)
	}
	if before.Draft != after.Draft {
		d.setParam("published", !after.Draft)
	}
	if !reflect.DeepEqual(before.Metadata, after.Metadata) {
		d.setParam("metadata", after.Metadata)
	}
	if !slices.Equal(before.Required, after.Required) {
		d.setParam("required", orEmptyList(after.Required))
	}
	if !reflect.DeepEqual(before.Exclusion, after.Exclusion) {
		d.setParam("exclusion", d.exclusionText())
	}
}

func checkGranularity(g catalog.Granularity) error {
	if g == catalog.ByRow || g == catalog.ByColumn {
		return nil
	}
	return fault.Errorf(fault.Invalid, "invalid_field",
		"merge_granularity: %q is neither column nor row.", fault.Clip(string(g))).With("field", "merge_granularity")
}

func (e Edit) apply(p *catalog.Properties) {
	for field, value := range map[*string]*string{
		&p.Name: e.Name, &p.Description: e.Description,
		&p.QualityColumn: e.QualityColumn, &p.CategoryColumn: e.CategoryColumn, &p.Notes: e.Notes,
	} {
		if value != nil {
			*field = *value
		}
	}
	if e.Archived != nil {
		p.Archived = *e.Archived
	}
	if e.Published != nil {
		p.Draft = !*e.Published
	}
	if e.Required != nil {
		p.Required = slices.Clone(*e.Required)
	}
	if e.MergeGranularity != nil && *e.MergeGranularity != p.Granularity() {
		p.MergeGranularity = *e.MergeGranularity
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
