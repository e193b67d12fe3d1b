package storage

import (
	"context"
	"fmt"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/gating"
	"github.com/rowback/rowback/storage/snapshot"
)

// Gates over the whole of a state: a report, which refuses nothing, and the gates of versions.

// GateReport is what a report of gates is about.
type GateReport struct {
	Ref   string   // the state that is checked; empty: head
	From  string   // what it is compared with; empty: the state before its commit
	Gates []string // names; none: all
}

// ReportGates evaluates gates of a dataset over the whole of a state. It changes nothing, and refuses nothing.
func (s *Store) ReportGates(ctx context.Context, dataset string, q GateReport) (results []gating.Result, err error) {
	head, err := s.State(ctx, dataset, "head")
	if err != nil {
		return nil, err
	}
	gates, err := someGates(head, q.Gates)
	if err != nil {
		return nil, err
	}
	after, err := s.Snapshot(ctx, dataset, q.Ref)
	if err != nil {
		return nil, err
	}
	from := q.From
	if from == "" && after.Commit.Previous != 0 {
		from = fmt.Sprint(after.Commit.Previous)
	}
	before, err := s.stateToCompare(ctx, after, from, q.From == "")
	if err != nil {
		return nil, err
	}
	return s.wholeResults(ctx, gates, gating.Change{Before: before, After: after, Whole: true}, false)
}

// someGates returns the gates with some names; all if there are none.
func someGates(s snapshot.State, names []string) ([]catalog.Gate, error) {
	if len(names) == 0 {
		return s.Properties.Gates, nil
	}
	var out []catalog.Gate
	for _, name := range names {
		i := slices.IndexFunc(s.Properties.Gates, func(g catalog.Gate) bool { return g.Name == name })
		if i < 0 {
			return nil, GateNotFound(s.Properties.Name, name)
		}
		out = append(out, s.Properties.Gates[i])
	}
	return out, nil
}

// GateNotFound is the error for a gate that a dataset does not have.
func GateNotFound(dataset, name string) error {
	return fault.Errorf(fault.NotFound, "gate_not_found", "Dataset '%s' has no gate '%s'.", dataset, fault.Clip(name))
}

// stateToCompare returns the state at a ref; before all, where there is none, or, if that is lenient, where it is gone.
func (s *Store) stateToCompare(
	ctx context.Context, after *snapshot.Snapshot, ref string, lenient bool,
) (*snapshot.Snapshot, error) {
	if ref != "" {
		before, err := s.Snapshot(ctx, after.Dataset.ID, ref)
		if !lenient || err == nil || !isGone(err) && fault.KindOf(err) != fault.NotFound {
			return before, err
		}
	}
	none := after.State
	none.Commit = catalog.Commit{}
	return snapshot.New(none, s.pathOf), nil
}

// wholeResults evaluates gates over the whole of a state.
func (s *Store) wholeResults(
	ctx context.Context, gates []catalog.Gate, ch gating.Change, commit bool,
) (results []gating.Result, err error) {
	conn, err := s.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	results = []gating.Result{}
	err = s.timed(ctx, func(ctx context.Context) error {
		c := gating.Checker{Sandboxes: s.Sandboxes, Conn: conn, Commit: commit}
		for _, g := range gates {
			r, err := c.Check(ctx, g, ch)
			if err != nil {
				return err
			}
			results = append(results, r)
		}
		return nil
	})
	return results, err
}

// checkVersionGates evaluates the gates that a version has to pass: over the whole state that it names, compared with
// that of the latest version. The dataset's lock is held. It returns what the answer warns of.
func (s *Store) checkVersionGates(
	ctx context.Context, named *snapshot.Snapshot, r Request,
) (warnings []string, err error) {
	head, err := s.State(ctx, named.Dataset.ID, "head")
	if err != nil {
		return nil, err
	}
	gates := slices.DeleteFunc(slices.Clone(head.Properties.Gates), func(g catalog.Gate) bool {
		return !slices.Contains(g.When, catalog.GateOnVersion)
	})
	if len(gates) == 0 {
		return nil, nil
	}
	before, err := s.stateToCompare(ctx, named, "latest", true)
	if err != nil {
		return nil, err
	}
	results, err := s.wholeResults(ctx, gates, gating.Change{Before: before, After: named, Whole: true}, true)
	if err != nil {
		return nil, err
	}
	if r.Preview != nil {
		r.Preview.Gates = results
	}
	for _, one := range results {
		if one.Outcome != gating.Passed {
			warnings = append(warnings, gateWarning(one))
		}
	}
	return warnings, refusedBy(results, "version")
}
