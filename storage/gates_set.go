package storage

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/gating"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Gates returns the gates of a state, with the names of its columns.
func Gates(s snapshot.State) []catalog.Gate {
	out := make([]catalog.Gate, len(s.Properties.Gates))
	for i, g := range s.Properties.Gates {
		out[i] = gating.Named(s.Schema, g)
	}
	return out
}

// SetGates changes the gates of a dataset, as a commit. change makes the new list of the one that there is. A gate that
// is new or changed must be one that can be evaluated; others stay as they are.
func (s *Store) SetGates(
	ctx context.Context, dataset string, change func([]catalog.Gate) ([]catalog.Gate, error), r Request,
) (snapshot.State, error) {
	w, err := s.begin(ctx, dataset, r, catalog.Edit)
	if err != nil {
		return snapshot.State{}, err
	}
	defer w.end()
	wanted, err := change(Gates(w.head.State))
	if err != nil {
		return snapshot.State{}, err
	}
	if err := w.connect(ctx); err != nil {
		return snapshot.State{}, err
	}
	err = s.timed(ctx, func(ctx context.Context) (err error) {
		w.properties.Gates, err = w.bindGates(ctx, wanted)
		return err
	})
	if err != nil {
		return snapshot.State{}, err
	}
	if reflect.DeepEqual(w.properties, w.head.Properties) {
		return w.head.State, nil
	}
	w.tellEdit(w.head.Properties)
	return publish(ctx, w, asState)
}

// bindGates binds those of a list of gates that are not among those that there are.
func (w *work) bindGates(ctx context.Context, wanted []catalog.Gate) (bound []catalog.Gate, err error) {
	if len(wanted) > gating.MaxGates {
		return nil, fault.Errorf(fault.Invalid, "invalid_gate", "A dataset has at most %d gates.", gating.MaxGates)
	}
	c, now := w.store.checker(w.workspace, true), Gates(w.head.State)
	for i, g := range wanted {
		if slices.ContainsFunc(wanted[:i], func(o catalog.Gate) bool { return o.Name == g.Name }) {
			return nil, fault.Errorf(fault.Invalid, "invalid_gate", "Two gates are named %q.", fault.Clip(g.Name))
		}
		at := slices.IndexFunc(now, func(o catalog.Gate) bool { return reflect.DeepEqual(o, g) })
		if at >= 0 {
			bound = append(bound, w.head.Properties.Gates[at])
			continue
		}
		g, err = c.Bind(ctx, g, w.head)
		if errors.Is(context.Cause(ctx), gating.ErrTime) {
			return nil, fault.Errorf(fault.Invalid, "invalid_gate",
				"Gate %s: it took longer to plan than gates may take (--gate-timeout).", g.Name)
		}
		if err != nil {
			return nil, err
		}
		bound = append(bound, g)
	}
	return bound, nil
}

// gatesOfArchive gives a dataset that is made from an archive the gates of that, but for those that read columns which
// it does not have.
func (d *draft) gatesOfArchive(archive schema.Schema, gates []catalog.Gate) {
	ids := sameNames(archive, d.schema)
	d.properties.Gates = nil
	for _, g := range gates {
		if g, ok := gating.Renumbered(g, ids); ok {
			d.properties.Gates = append(d.properties.Gates, g)
		}
	}
}
