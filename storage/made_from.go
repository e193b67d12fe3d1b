package storage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/lineage"
)

// withLineage returns the metadata of a new commit or version of a dataset with the lineage in it as it is stored: read
// and checked, and with its inputs resolved to commits. Metadata without a lineage stays as it is. Of a dataset that is
// made with it, the project is known alone.
func (h *History) withLineage(
	ctx context.Context, dataset string, project int64, metadata json.RawMessage,
) (json.RawMessage, error) {
	var has map[string]json.RawMessage
	if !bytes.Contains(metadata, []byte(`"`+lineage.Member+`"`)) || json.Unmarshal(metadata, &has) != nil {
		return metadata, nil // JSON that is not an object has no members
	}
	given, ok := has[lineage.Member]
	if !ok {
		return metadata, nil
	}
	l, err := lineage.Read(given)
	if err != nil {
		return nil, wrongLineage(err)
	}
	if len(l.Inputs) > 0 {
		if err := h.resolveInputs(Reading(ctx), dataset, project, l.Inputs); err != nil {
			return nil, err
		}
	}
	if l.IsEmpty() {
		return lineage.In(metadata, nil)
	}
	return lineage.In(metadata, &l)
}

// wrongLineage is the refusal of a lineage.
func wrongLineage(err error) error {
	var w *lineage.Wrong
	if !errors.As(err, &w) {
		return err
	}
	e := fault.Errorf(fault.Invalid, "invalid_lineage", "%s %s.", fault.Clip(w.Where), w.Why).With("field", w.Where)
	if w.Known != nil {
		e = e.With("known", w.Known)
	}
	return e
}

// resolveInputs finds the commits that inputs name. The project of a name is that of the dataset that is written, unless
// it is said.
func (h *History) resolveInputs(ctx context.Context, dataset string, project int64, inputs []lineage.Input) error {
	return h.catalog.Read(ctx, func(tx catalog.Tx) error {
		if dataset != "" {
			written, err := activeFor(ctx, tx, dataset)
			if err != nil {
				return err
			}
			project = written.ProjectID
		}
		for i := range inputs {
			if err := h.resolveInput(ctx, tx, project, &inputs[i]); err != nil {
				var e *fault.Error
				if errors.As(err, &e) && e.Kind != fault.Internal {
					return fault.Errorf(fault.Invalid, "invalid_lineage", "lineage.inputs[%d]: %s", i, e.Detail).
						With("field", fmt.Sprintf("lineage.inputs[%d]", i)).With("reason", e.Code)
				}
				return err
			}
		}
		return nil
	})
}

// lasting reports whether a ref names the same state from now on.
func lasting(ref string) bool {
	if _, _, ok := parseEarlier(ref); ok {
		return false
	}
	return !slices.Contains([]string{"", "head", "latest", "previous"}, ref)
}

// resolveInput makes an input what is stored: the dataset and the commit that it names.
func (h *History) resolveInput(ctx context.Context, tx catalog.Tx, project int64, in *lineage.Input) error {
	if in.ProjectID != 0 {
		project = in.ProjectID
	}
	d, err := namedDataset(ctx, tx, project, in)
	if err != nil {
		return err
	}
	ref := in.Ref
	if in.CommitID != 0 && (ref == "" || !lasting(ref)) {
		ref = strconv.FormatInt(in.CommitID, 10)
	}
	// What it was made from is known also where that can't be read any more.
	commit, err := locate(tx, d, ref, h.now)
	if err != nil {
		return err
	}
	if in.CommitID != 0 && in.CommitID != commit {
		return fault.Errorf(fault.Invalid, "invalid_lineage", "ref %s names commit %d, not %d. Give one of them.",
			fault.Clip(in.Ref), commit, in.CommitID)
	}
	*in = lineage.Input{Dataset: d.Name, Ref: ref, ProjectID: d.ProjectID, DatasetID: d.ID, CommitID: commit}
	if !lasting(ref) {
		in.Ref = strconv.FormatInt(commit, 10)
	}
	return nil
}

// namedDataset finds the dataset that an input names, as the client of a request may.
func namedDataset(ctx context.Context, tx catalog.Tx, project int64, in *lineage.Input) (catalog.Dataset, error) {
	if in.DatasetID != "" {
		return activeFor(ctx, tx, in.DatasetID)
	}
	if looksLikeID.MatchString(in.Dataset) {
		return activeFor(ctx, tx, in.Dataset)
	}
	var d catalog.Dataset
	err := catalog.ErrNotFound
	if p := permitOf(ctx); p == nil || p.Sees(project) {
		if d, err = tx.DatasetByName(project, in.Dataset); err == nil {
			err = permitted(ctx, d, in.Dataset)
		}
	}
	return d, orNotFound(err, "dataset_not_found", "Dataset '%s' not found in project %d", fault.Clip(in.Dataset), project)
}

// hideInputs leaves out of metadata which datasets something was made from, where the client of a request is not to know
// of them.
func hideInputs(ctx context.Context, tx catalog.Tx, metadata json.RawMessage) (json.RawMessage, error) {
	if permitOf(ctx) == nil || !bytes.Contains(metadata, []byte(`"inputs"`)) {
		return metadata, nil
	}
	l := lineage.Of(metadata)
	if l == nil {
		return metadata, nil
	}
	n := len(l.Inputs)
	if err := seenInputs(ctx, tx, l); err != nil || len(l.Inputs) == n {
		return metadata, err
	}
	return lineage.In(metadata, l)
}

// seenInputs leaves the inputs in a lineage that the client of a request may know of. What the catalog knows nothing of
// belongs to no project: it came with a backup of another store.
func seenInputs(ctx context.Context, tx catalog.Tx, l *lineage.Lineage) error {
	kept := l.Inputs[:0:0]
	for _, in := range l.Inputs {
		d, err := tx.Dataset(in.DatasetID)
		if err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
		if err != nil || sees(ctx, d) {
			kept = append(kept, in)
		}
	}
	l.Inputs = kept
	return nil
}
