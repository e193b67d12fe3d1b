package storage

import (
	"context"
	"reflect"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

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
	if err := checkRetention(e.Retention); err != nil {
		return catalog.Commit{}, err
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
	// An edit that changes nothing makes no commit: it would block rollbacks and say nothing.
	if reflect.DeepEqual(w.properties, w.head.Properties) {
		return w.head.Commit, nil
	}
	w.tellEdit(w.head.Properties)
	return publish(ctx, w, asCommit)
}

// apply makes properties what the edit says.
func (e Edit) apply(p *catalog.Properties) {
	for _, one := range properties {
		one.edit(p, e)
	}
}

// tellEdit records which properties the commit changed, as they are after it.
func (d *draft) tellEdit(before catalog.Properties) {
	changed := changedFields(before, d.properties)
	for _, one := range properties {
		if slices.Contains(changed, one.name) {
			d.setParam(one.tell(d))
		}
	}
}

// checkGranularity refuses an unknown granularity.
func checkGranularity(g catalog.Granularity) error {
	if g == catalog.ByRow || g == catalog.ByColumn {
		return nil
	}
	return fault.Errorf(fault.Invalid, "invalid_field",
		"merge_granularity: %q is neither column nor row.", fault.Clip(string(g))).With("field", "merge_granularity")
}
