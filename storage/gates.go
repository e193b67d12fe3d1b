package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/gating"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Gates are a property of a dataset: checks that its commits, merges and versions must pass (package gating evaluates
// them). A commit is checked before it is described: what it wrote is in files, and none of it is recorded. What undoes
// or restores is not refused, as it only brings back what was there; it says which gates its records fail. Gates are
// kept through it: they are changed by nothing but SetGates, which no gate refuses.

// Refusals by gates: of what fails one, and of what one could not be evaluated for.
var (
	ErrGateFailed = fault.New(fault.Invalid, "gate_failed")
	ErrGateBroken = fault.New(fault.Conflict, "gate_error")
)

// gateTime is how long the gates of one write, or of one report, may take by default. The dataset's lock is held.
const gateTime = 10 * time.Second

// checkGates evaluates the gates that the commit has to pass. The commit is complete.
func (w *work) checkGates(ctx context.Context) error {
	event, refuses := w.gatedAs()
	if event == "" || len(w.properties.Gates) == 0 {
		return nil
	}
	if err := w.connect(ctx); err != nil {
		return err
	}
	c := w.store.checker(w.workspace, true)
	if w.request.collects {
		c.Most = mostRejected
	}
	var results []gating.Result
	err := w.store.timed(ctx, func(ctx context.Context) (err error) {
		results, err = w.gateResults(ctx, c, event)
		return err
	})
	switch {
	case err != nil && (refuses || ctx.Err() != nil):
		return err
	case err != nil: // going back must not depend on gates
		w.store.log.Warn("gates could not be evaluated", "dataset", w.commit.DatasetID, "error", err)
		w.commit.Effects.Warnings = append(w.commit.Effects.Warnings, "The gates could not be evaluated.")
	}
	if p := w.request.Preview; p != nil {
		p.Gates = results
	}
	if refuses {
		if err := refusedBy(results, string(event)); err != nil {
			return err
		}
	}
	w.noteFailed(results)
	return nil
}

// noteFailed keeps with the commit which gates it does not pass.
func (w *work) noteFailed(results []gating.Result) {
	for _, r := range results {
		if r.Outcome != gating.Passed {
			w.commit.Effects.GatesFailed = append(w.commit.Effects.GatesFailed, r.Gate)
			w.commit.Effects.Warnings = append(w.commit.Effects.Warnings, gateWarning(r))
		}
	}
}

// gatedAs is what the commit is for gates, and whether they refuse it; empty: nothing. A dataset that is made from
// another, or from an archive, starts with the records that it is made of.
func (w *work) gatedAs() (event catalog.GateEvent, refuses bool) {
	switch w.commit.Mode {
	case catalog.Append, catalog.Overwrite, catalog.Upsert, catalog.Replace, catalog.Delete, catalog.Schema:
		if w.creates == nil {
			return catalog.GateOnCommit, true
		}
	case catalog.Merge:
		return catalog.GateOnMerge, true
	case catalog.Rollback, catalog.Restore:
		return catalog.GateOnCommit, false
	}
	return "", false
}

// gateResults evaluates the gates of an event, and of the others those that a change of columns may have broken.
func (w *work) gateResults(
	ctx context.Context, c gating.Checker, event catalog.GateEvent,
) (results []gating.Result, err error) {
	ch := w.gatedChange()
	for _, g := range w.properties.Gates {
		if reads := gating.Affected(g, ch.Before.Schema, ch.After.Schema); reads {
			err := c.CanRun(ctx, g, ch.After)
			if r, isBroken := gating.BrokenResult(ctx, g, ch.After.Schema, err); isBroken {
				results = append(results, r)
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		if !slices.Contains(g.When, event) {
			continue
		}
		r, err := c.Check(ctx, g, ch)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// gatedChange is what the gates look at: the states before and after the commit, or before and after all that a merge
// played.
func (w *work) gatedChange() gating.Change {
	return gating.Change{Before: w.drafts()[0].head, After: w.leaves(), File: w.brought()}
}

// brought is the file of the records that the commit brings, if they are those of one file.
func (w *work) brought() *gating.File {
	switch w.commit.Mode {
	case catalog.Append, catalog.Overwrite, catalog.Upsert, catalog.Replace:
	default:
		return nil
	}
	data := snapshot.OfKind(w.opened, schema.Data)
	if len(data) != 1 || len(w.reopened) > 0 {
		return nil
	}
	path := w.store.pathOf(data[0])
	f := &gating.File{
		Path: path, IsUpload: w.commit.Mode == catalog.Append,
		Rows: func(columns []schema.Column) string { return w.numberedRows(path, columns) },
	}
	if data[0].Rows <= literalRows {
		f.Values = func(ctx context.Context, columns []schema.Column) (string, error) {
			return w.literals(ctx, f.Rows(columns), w.schema.WithKey(columns))
		}
	}
	return f
}

// literals returns the SQL of few rows of a relation, which begins with _n, with their values in it; empty where one of
// them has no plain literal.
func (w *work) literals(ctx context.Context, relation string, columns []schema.Column) (string, error) {
	batch, err := w.conn.Batch(ctx, relation)
	if err != nil {
		return "", err
	}
	defer batch.Release()
	columns = slices.Concat([]schema.Column{{Name: "_n", Type: schema.Of(schema.Bigint)}}, columns)
	var rows []string
	for row := range int(batch.NumRows()) {
		list := make([]string, len(columns))
		for i, c := range columns {
			value, ok := literal(batch.Column(i), row, c.Type)
			if !ok {
				return "", nil
			}
			list[i] = value + " AS " + batch.ColumnName(i)
		}
		rows = append(rows, "SELECT "+strings.Join(list, ", "))
	}
	return strings.Join(rows, "\nUNION ALL "), nil
}

// checker evaluates gates with the connection of a workspace.
func (s *Store) checker(f *workspace, commit bool) gating.Checker {
	return gating.Checker{Sandboxes: s.Sandboxes, Conn: f.conn, Commit: commit}
}

// timed evaluates gates within the time that they have together.
func (s *Store) timed(ctx context.Context, evaluate func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.gateTime, gating.ErrTime)
	defer cancel()
	return evaluate(ctx)
}

// refusedBy returns the refusal of what does not pass gates, by the first of them; nil if none refuses it.
func refusedBy(results []gating.Result, what string) error {
	bad := slices.DeleteFunc(slices.Clone(results), func(r gating.Result) bool { return r.Outcome == gating.Passed })
	i := slices.IndexFunc(bad, func(r gating.Result) bool { return r.Action == catalog.GateRefuses })
	if i < 0 {
		return nil
	}
	e := ErrGateFailed.Sayf("The gate %s refuses this %s. %s", bad[i].Gate, what, bad[i].Detail)
	if bad[i].Outcome == gating.Broken {
		e = ErrGateBroken.Sayf("The gate %s could not be evaluated, so this %s is refused. %s "+
			"Change or remove the gate (…/gates), or send something else.", bad[i].Gate, what, bad[i].Detail)
	}
	return e.With("gate", bad[i].Gate).With("failed_records", bad[i].Failed).With("records", bad[i].Records).
		With("gates", bad)
}

// gateWarning says that a gate was not passed. It is kept, and has no values of records: those may be erased.
func gateWarning(r gating.Result) string {
	switch {
	case r.Outcome == gating.Broken:
		return fmt.Sprintf("The gate %s could not be evaluated.", r.Gate)
	case r.Failed == 1:
		return fmt.Sprintf("The gate %s fails for one record.", r.Gate)
	case r.Failed > 0:
		return fmt.Sprintf("The gate %s fails for %d records.", r.Gate, r.Failed)
	}
	return fmt.Sprintf("The gate %s fails.", r.Gate)
}

// hasSlowGates reports whether commits of a dataset may have to wait for gates, as far as that is known without
// reading: then they are not part of a group, whose others would wait too.
func (s *Store) hasSlowGates(dataset string) bool {
	head := s.heads.kept(dataset)
	return head != nil && slices.ContainsFunc(head.Properties.Gates, func(g catalog.Gate) bool {
		return gating.MayBeSlow(g, head.Schema)
	})
}

// checkGatesStay refuses to undo a change of gates: they are not what records were, but what they must be, and who may
// undo commits need not be one who may set gates.
func checkGatesStay(undone sets) error {
	if !slices.Contains(undone.fields, "gates") {
		return nil
	}
	return fault.Errorf(fault.Conflict, "gates_stay",
		"Commit %d set gates, which is not undone with it. Set them with …/gates.", undone.commit.ID)
}
