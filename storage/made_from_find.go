package storage

import (
	"context"
	"errors"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/lineage"
)

// Made is a commit, or a version, that was made from what was searched for.
type Made struct {
	Dataset catalog.Dataset
	Commit  catalog.Commit
	Version *catalog.Version // nil: the commit itself says so
	Lineage lineage.Lineage
}

// MadeFromSearch selects commits and versions by what they were made from. All conditions must hold; there must be one.
type MadeFromSearch struct {
	Terms   []lineage.Term
	Input   lineage.Input // unresolved; an empty Dataset: any
	Project int64         // of the input's name, and of what is found; 0: 1, and any
	Dataset string        // only in it; empty: in all that the client may read
	After   *catalog.Made
	Limit   int
}

// FindMadeFrom lists what a search finds in the datasets that the client of a request may read, newest first, and the
// place of the last one, if there are more.
func (h *History) FindMadeFrom(ctx context.Context, f MadeFromSearch) (out []Made, last *catalog.Made, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		terms := f.Terms
		if f.Input.Dataset != "" {
			input, err := h.inputTerm(ctx, tx, f)
			if err != nil {
				return err
			}
			terms = append(terms[:len(terms):len(terms)], input)
		}
		for after := f.After; ; {
			page, err := tx.MadeFrom(terms, after, f.Limit+1)
			if err != nil {
				return err
			}
			for i, m := range page {
				one, ok, err := h.made(ctx, tx, f, m)
				if err != nil {
					return err
				}
				if ok && len(out) == f.Limit {
					return nil // last is that of the one before
				}
				if ok { // what is not for the client is not in its cursor either
					out, last = append(out, one), &page[i]
				}
			}
			if len(page) <= f.Limit {
				last = nil
				return nil
			}
			after = &page[len(page)-1]
		}
	})
	return out, last, err
}

// inputTerm is what finds an input: of a dataset alone any commit, with a ref the one that it names.
func (h *History) inputTerm(ctx context.Context, tx catalog.Tx, f MadeFromSearch) (lineage.Term, error) {
	in := f.Input
	hasRef := in.Ref != ""
	if err := h.resolveInput(ctx, tx, max(f.Project, 1), &in); err != nil {
		return lineage.Term{}, err
	}
	if !hasRef {
		return lineage.Term{Kind: lineage.Dataset, Value: in.DatasetID}, nil
	}
	return lineage.Term{Kind: lineage.Commit, Value: lineage.InputCommit(in.DatasetID, in.CommitID)}, nil
}

// made reads what was found; ok is false if it is not for the client of the request, or does not stand any more.
func (h *History) made(
	ctx context.Context, tx catalog.Tx, f MadeFromSearch, m catalog.Made,
) (out Made, ok bool, err error) {
	if f.Dataset != "" && f.Dataset != m.Dataset {
		return out, false, nil
	}
	out.Dataset, err = activeFor(ctx, tx, m.Dataset)
	if err != nil || f.Project != 0 && f.Project != out.Dataset.ProjectID {
		return out, false, isAbsent(err)
	}
	if out.Commit, err = tx.Commit(m.Dataset, m.Commit); err != nil {
		return out, false, isAbsent(err)
	}
	metadata := out.Commit.Metadata
	if m.Version != 0 {
		v, err := tx.VersionByID(m.Version)
		if err != nil {
			return out, false, isAbsent(err)
		}
		out.Version, metadata = &v, v.Metadata
	}
	l := lineage.Of(metadata)
	if l == nil {
		return out, false, nil
	}
	out.Lineage = *l
	return out, true, seenInputs(ctx, tx, &out.Lineage)
}

// isAbsent returns an error unless it says that something is not there for the client.
func isAbsent(err error) error {
	if err == nil || errors.Is(err, catalog.ErrNotFound) {
		return nil
	}
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Gone, fault.Forbidden:
		return nil
	}
	return err
}
