package storage

import (
	"context"
	"errors"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// Permit says what a client may use. It comes with the context of a request, and is asked wherever the request names a
// dataset, lists some, makes one, or is about to record a change. A context without one is the server's own: it may use
// everything.
type Permit interface {
	Sees(project int64) bool    // false: for the client, the project and its datasets do not exist
	Use(project int64) error    // the refusal of what the request does to datasets that the client sees
	Create(project int64) error // the refusal of a new dataset
	Shape(project int64) error  // the refusal of a change of columns or properties that people made, not records
	Again() Permit              // the same, as of now: what a client may do changes while a request is served
	Reading() Permit            // the same, for what the request only reads, such as the source of a merge
}

// permitKey is the key of the permit in a context.
type permitKey struct{}

// WithPermit returns a context for the requests of a client.
func WithPermit(ctx context.Context, p Permit) context.Context {
	return context.WithValue(ctx, permitKey{}, p)
}

// PermitFrom returns a context that has the permit of another: for work of a request that outlives its context.
func PermitFrom(ctx, other context.Context) context.Context {
	if p := permitOf(other); p != nil {
		return WithPermit(ctx, p)
	}
	return ctx
}

// Reading returns the context in which a request names what it only reads.
func Reading(ctx context.Context) context.Context {
	if p := permitOf(ctx); p != nil {
		return WithPermit(ctx, p.Reading())
	}
	return ctx
}

// permitOf returns the permit of a context; nil: everything is permitted.
func permitOf(ctx context.Context) Permit {
	p, _ := ctx.Value(permitKey{}).(Permit)
	return p
}

// sees reports whether the client of a request knows of a dataset.
func sees(ctx context.Context, d catalog.Dataset) bool {
	p := permitOf(ctx)
	return p == nil || p.Sees(d.ProjectID)
}

// permitted refuses a dataset that the client of a request may not use. named is how the client names it: one that is
// not to be seen is refused as if there were none.
func permitted(ctx context.Context, d catalog.Dataset, named string) error {
	p := permitOf(ctx)
	switch {
	case p == nil:
		return nil
	case !p.Sees(d.ProjectID):
		return orNotFound(catalog.ErrNotFound, "dataset_not_found", "Dataset '%s' not found", fault.Clip(named))
	}
	return p.Use(d.ProjectID)
}

// permittedStill refuses a change that is about to be recorded, if its client may no longer make it.
func (w *work) permittedStill(ctx context.Context) error {
	p := permitOf(ctx)
	if p == nil {
		return nil
	}
	d := w.head.Dataset
	if w.creates != nil {
		return p.Again().Create(d.ProjectID)
	}
	return permitted(WithPermit(ctx, p.Again()), d, d.ID)
}

// permittedToUndo refuses to undo what the client of a request could not have done: changes of columns or properties.
func permittedToUndo(ctx context.Context, d catalog.Dataset, all ...sets) error {
	p := permitOf(ctx)
	shapes := func(one sets) bool { return len(one.fields) > 0 || one.explicit && len(one.columns) > 0 }
	if p == nil || !slices.ContainsFunc(all, shapes) {
		return nil
	}
	return p.Shape(d.ProjectID)
}

// permittedToPlay refuses to merge what the client of a request could not have done to the target itself.
func permittedToPlay(ctx context.Context, tx catalog.Tx, target catalog.Dataset, actions []catalog.Commit) error {
	p := permitOf(ctx)
	if p == nil {
		return nil
	}
	for _, a := range actions {
		root, err := rootOf(tx, a)
		if err != nil {
			return err
		}
		switch root.Mode {
		case catalog.Schema, catalog.Edit, catalog.Restore:
			return p.Shape(target.ProjectID)
		}
	}
	return nil
}

// activeFor is activeDataset for the client of a request.
func activeFor(ctx context.Context, tx catalog.Tx, id string) (catalog.Dataset, error) {
	d, err := tx.Dataset(id)
	if err == nil {
		if err := permitted(ctx, d, id); err != nil {
			return d, err
		}
	}
	return active(d, id, err)
}

// seenBy leaves out the datasets that the client of a request may not use, and what their lineage says of such.
func seenBy(ctx context.Context, tx catalog.Tx, all []catalog.Dataset) ([]catalog.Dataset, error) {
	p := permitOf(ctx)
	if p == nil {
		return all, nil
	}
	out := all[:0]
	for _, d := range all {
		if !p.Sees(d.ProjectID) || p.Use(d.ProjectID) != nil {
			continue
		}
		if err := hideUpstream(ctx, tx, &d); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// hideUpstream leaves out what a dataset was forked from, where the client of a request is not to know of that.
func hideUpstream(ctx context.Context, tx catalog.Tx, d *catalog.Dataset) error {
	if !d.IsFork() || permitOf(ctx) == nil {
		return nil
	}
	upstream, err := tx.Dataset(d.UpstreamID)
	if err == nil && !sees(ctx, upstream) {
		d.UpstreamID = ""
	}
	return err
}

// errFamily refuses what would change datasets of a family that the client of a request may not change.
var errFamily = fault.New(fault.Forbidden, "role_needed")

// permittedInFamily refuses what changes all datasets of a family, if the client of a request may not do that in the
// projects of all of them: a fork in one's own project must not be a way into another.
func permittedInFamily(ctx context.Context, tx catalog.Tx, d catalog.Dataset) error {
	p := permitOf(ctx)
	if p == nil {
		return nil
	}
	all, err := tx.FamilyDatasets(d.FamilyID)
	for _, one := range all {
		if one.VacuumedAt.IsZero() && (!p.Sees(one.ProjectID) || p.Use(one.ProjectID) != nil) {
			return errFamily.Sayf("This changes the dataset '%s' and all that share its history, and you do not have the role "+
				"for it in the projects of all of them. Ask an admin to do it.", d.Name)
		}
	}
	return err
}

// hideErased leaves out what an erasure did in datasets that the client of a request is not to know of.
func hideErased(ctx context.Context, tx catalog.Tx, e *ErasedDetails) (err error) {
	if permitOf(ctx) == nil {
		return nil
	}
	hidden := func(id string) bool {
		d, failed := tx.Dataset(id)
		if failed != nil && !errors.Is(failed, catalog.ErrNotFound) {
			err = failed
		}
		return failed == nil && !sees(ctx, d)
	}
	e.Datasets = slices.DeleteFunc(e.Datasets, func(d ErasedDataset) bool { return hidden(d.ID) })
	e.Backups = slices.DeleteFunc(e.Backups, func(b ErasedBackup) bool { return hidden(b.Dataset) })
	return err
}
