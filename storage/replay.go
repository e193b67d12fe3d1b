package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rowback/storage/catalog"
)

// Merge is a request to play the actions of one dataset on another of its family (design, section 6).
type Merge struct {
	Source       string       // id of the dataset whose actions are played
	Autorollback bool         // true: any conflict, and nothing changes; false: what comes before the conflict stands
	Filter       *MergeFilter // nil: all actions
	Remember     bool         // what the filter skips is not played by later merges, unless they name it
	DryRun       bool         // only tell what would happen
}

// MergeFilter selects actions by key or by hash.
type MergeFilter struct {
	Keys   []string `json:"key,omitempty"`
	Hashes []string `json:"hash,omitempty"`
}

// Merged is what a merge did, or would do.
type Merged struct {
	Commit    catalog.Commit   // the merge; ID 0 where there was nothing to do, or on a dry run
	Played    []catalog.Commit // as they are in the target; on a dry run, in the source
	Skipped   []catalog.Commit // of the source, left out by the filter or remembered
	Conflicts []MergeConflict
}

// MergeConflict is why an action can't be played.
type MergeConflict struct {
	Action   catalog.Commit // of the source
	Detail   string
	Variable string           // of a conflict of variables: its name
	Count    int64            // of a conflict of records: how many
	Records  []RecordConflict // the first of them
}

// RecordConflict is one record that both sides changed. Records are JSON objects, or null where there is none.
type RecordConflict struct {
	Before json.RawMessage `json:"before"` // as the source had it before the action
	After  json.RawMessage `json:"after"`  // as the source had it after
	Now    json.RawMessage `json:"now"`    // as the target has it
}

// Merge plays the source's actions that the target does not have, oldest first, each as a commit of its own with the
// same hash, and all of them as one entry of the target's log, which one rollback undoes. A conflict is an error of kind
// Conflict, with the fields conflicts ([]MergeConflict) and played ([]catalog.Commit: those that stand, none with
// Autorollback). A dry run returns conflicts without an error.
func (s *Store) Merge(ctx context.Context, target string, m Merge, r Request) (Merged, error) {
	w, err := s.lockHead(ctx, target, r)
	if err != nil {
		return Merged{}, err
	}
	defer w.end()
	plan, err := s.planMerge(ctx, w.head.Dataset, m)
	if err != nil {
		return Merged{}, err
	}
	if err := w.numberMerge(&plan); err != nil {
		return Merged{}, err
	}
	if err := w.connect(ctx); err != nil {
		return Merged{}, err
	}
	p := player{merge: w, plan: plan, now: w.head, head: plan.head}
	if err := p.playAll(ctx, m); err != nil {
		return Merged{}, err
	}
	out := Merged{Skipped: plan.skipped, Conflicts: p.conflicts}
	if m.DryRun {
		out.Played = p.clean
		return out, nil
	}
	if len(p.conflicts) > 0 && m.Autorollback {
		return out, out.refusal()
	}
	if len(w.played) == 0 && len(plan.remembered) == 0 {
		if len(p.conflicts) > 0 {
			return out, out.refusal()
		}
		return out, s.KeepAnswer(ctx, r, out)
	}
	return p.publish(ctx, out)
}

// refusal is the error that tells what conflicts.
func (m Merged) refusal() *Error {
	first := m.Conflicts[0]
	text := fmt.Sprintf("The merge has a conflict with %s (commit %d of the source). %s", ActionKey(first.Action), first.Action.ID, first.Detail)
	if n := len(m.Conflicts) - 1; n > 0 {
		text += fmt.Sprintf(" %d more actions can't be played either.", n)
	}
	if len(m.Played) > 0 {
		text += fmt.Sprintf(" The %d actions before it were played; mend it on either side, then merge again to go on.", len(m.Played))
	} else {
		text += " Nothing was changed; mend it on either side, then merge again."
	}
	return failf(Conflict, "merge_conflict", "%s", text).With("conflicts", m.Conflicts).With("played", m.Played)
}

// mergePlan is which of the source's actions a merge plays.
type mergePlan struct {
	source     catalog.Dataset
	head       *Snapshot // of the source
	actions    []catalog.Commit
	skipped    []catalog.Commit
	remembered []string // hashes of those that later merges skip as well
	params     map[string]any
	firstID    int64 // of the commits that play them
}

// planMerge chooses the actions.
func (s *Store) planMerge(ctx context.Context, target catalog.Dataset, m Merge) (plan mergePlan, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error {
		if plan.source, err = s.dataset(tx, m.Source); err != nil {
			return err
		}
		if plan.source.ID == target.ID {
			return failf(Invalid, "merge_into_itself", "Dataset '%s' can't be merged into itself.", target.Name)
		}
		if plan.source.FamilyID != target.FamilyID {
			return failf(Invalid, "not_family", "Dataset '%s' is neither a fork of '%s' nor what it was forked from: they share no history to merge by.", plan.source.Name, target.Name)
		}
		if err := m.Filter.check(tx, plan.source); err != nil {
			return err
		}
		if plan.head, err = s.snapshot(tx, plan.source, plan.source.Head); err != nil {
			return err
		}
		all, err := missing(tx, plan.source.ID, target.ID)
		if err != nil {
			return err
		}
		remembered, err := rememberedBy(tx, target.ID, plan.source.ID)
		if err != nil {
			return err
		}
		return plan.choose(tx, all, m, remembered)
	})
	plan.params = map[string]any{"source": plan.source.ID, "source_name": plan.source.Name, "source_head": plan.source.Head, "autorollback": m.Autorollback}
	if m.Filter != nil {
		plan.params["filter"] = m.Filter
	}
	if len(plan.remembered) > 0 {
		plan.params[rememberedParam] = plan.remembered
	}
	return plan, err
}

// check refuses a filter that names nothing.
func (f *MergeFilter) check(tx catalog.Tx, source catalog.Dataset) error {
	if f == nil {
		return nil
	}
	if len(f.Keys)+len(f.Hashes) == 0 {
		return failf(Invalid, "empty_filter", "The filter names nothing: give it a list of keys or of hashes, or leave it out.").With("field", "filter")
	}
	known := ActionKeys()
	for _, k := range f.Keys {
		if !slices.Contains(known, k) {
			return failf(Invalid, "unknown_key", "There is no action key %q. The keys are %s.", clip(k), strings.Join(known, ", ")).With("field", "filter")
		}
	}
	for _, h := range f.Hashes {
		found, err := tx.WithHash(source.ID, h)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return failf(Invalid, "unknown_hash", "Dataset '%s' has no action with hash %q. Look at its actions for the hashes that it has.", source.Name, clip(h)).With("field", "filter")
		}
	}
	return nil
}

func (f *MergeFilter) selects(c catalog.Commit) bool {
	return f == nil || slices.Contains(f.Keys, ActionKey(c)) || slices.Contains(f.Hashes, c.Hash)
}

// choose leaves out what has no effect, what stays where it was made, and what the filter skips.
func (p *mergePlan) choose(tx catalog.Tx, all []catalog.Commit, m Merge, remembered map[string]bool) error {
	none := cancelled(all)
	for _, a := range all {
		root, err := rootOf(tx, a)
		if err != nil {
			return err
		}
		switch {
		case none[a.ID], root.Mode == catalog.Edit: // what is said of a dataset stays where it was said
		case m.Filter.selects(a) && (m.Filter != nil || !remembered[a.Hash]):
			p.actions = append(p.actions, a)
		default:
			p.skipped = append(p.skipped, a)
			if m.Remember && m.Filter != nil {
				p.remembered = append(p.remembered, a.Hash)
			}
		}
	}
	return nil
}

const rememberedParam = "remembered" // of a merge: hashes of the actions that later merges from there skip

// rememberedBy tells which actions earlier merges of the same two datasets skipped for good.
func rememberedBy(tx catalog.Tx, target, source string) (map[string]bool, error) {
	out := map[string]bool{}
	merges, err := tx.Standing(target, catalog.Merge)
	for _, c := range merges {
		var params struct {
			Source     string
			Remembered []string
		}
		if json.Unmarshal(c.Params, &params) == nil && params.Source == source {
			for _, h := range params.Remembered {
				out[h] = true
			}
		}
	}
	return out, err
}

// numberMerge gives the merge its id, after those of the commits that it may play.
func (w *work) numberMerge(plan *mergePlan) error {
	n := int64(len(plan.actions))
	plan.firstID = w.store.commits.Add(n) - n + 1
	if err := w.number(catalog.Merge); err != nil {
		return err
	}
	if w.commit.Message == "" {
		w.commit.Message = "Merge of " + plan.source.Name
	}
	for name, value := range plan.params {
		w.setParam(name, value)
	}
	return nil
}

// player plays actions on a target, one after the other.
type player struct {
	merge     *work
	plan      mergePlan
	now       *Snapshot // the target, with what was played
	source    *Snapshot // the last state of the source that was looked at
	head      *Snapshot // of the source
	clean     []catalog.Commit
	conflicts []MergeConflict
}

// playAll plays the plan's actions: up to the first conflict, where what comes before it is to stand; else it goes on, to
// find all conflicts.
func (p *player) playAll(ctx context.Context, m Merge) error {
	for i, a := range p.plan.actions {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.merge.request.report(i*100/len(p.plan.actions), fmt.Sprintf("Playing action %d of %d", i+1, len(p.plan.actions)))
		err := p.play(ctx, a)
		var conflict *conflictError
		if errors.As(err, &conflict) {
			p.conflicts = append(p.conflicts, conflict.of(a))
			if !m.Autorollback && !m.DryRun {
				return nil
			}
			continue
		}
		if err != nil {
			return err
		}
		p.clean = append(p.clean, a)
	}
	return nil
}

func (r Request) report(percent int, message string) {
	if r.Report != nil {
		r.Report(percent, message)
	}
}

// conflictError ends the playing of an action.
type conflictError struct{ conflict MergeConflict }

func (e *conflictError) Error() string { return e.conflict.Detail }

func (e *conflictError) of(a catalog.Commit) MergeConflict {
	e.conflict.Action = a
	return e.conflict
}

// onVariable is a conflict of variables.
func onVariable(name, format string, args ...any) error {
	return &conflictError{MergeConflict{Variable: name, Detail: fmt.Sprintf(format, args...)}}
}

// play plays one action: it becomes a commit of the merge, with the files that it has, or with files made anew.
func (p *player) play(ctx context.Context, a catalog.Commit) error {
	did, err := p.look(ctx, a)
	if err != nil {
		return err
	}
	one := p.commit(a)
	if err := one.findParent(ctx, did.parentHash); err != nil {
		return err
	}
	if err := one.playColumns(ctx, &did); err != nil {
		return err
	}
	if err := one.playRows(ctx, did); err != nil {
		return err
	}
	if err := one.narrowColumns(did); err != nil {
		return err
	}
	if err := one.playDerivations(ctx); err != nil {
		return err
	}
	if err := one.settle(); err != nil {
		return err
	}
	p.merge.played = append(p.merge.played, one)
	p.now = one.snapshotAfter()
	return nil
}

// commit starts a commit of the merge.
func (p *player) commit(a catalog.Commit) *work {
	w := p.merge
	one := &work{
		store: w.store, head: p.now, schema: p.now.Schema, properties: p.now.Properties, bound: p.now.Schema, marks: p.marks(),
		family: w.family, batch: w.batch, conn: w.conn, part: len(w.played), request: w.request, unlock: func() {},
	}
	one.commit = catalog.Commit{
		DatasetID: w.commit.DatasetID, ID: p.plan.firstID + int64(len(w.played)), Tag: a.Tag, Previous: p.now.Commit.ID,
		MergeCommitID: w.commit.ID, Mode: a.Mode, Message: a.Message, User: a.User, Hash: a.Hash, Metadata: a.Metadata, Params: a.Params,
	}
	return one
}

// marks are those of what was played: the catalog does not have them yet.
func (p *player) marks() map[int64]int64 {
	if n := len(p.merge.played); n > 0 {
		return maps.Clone(p.merge.played[n-1].marks)
	}
	return map[int64]int64{}
}

// publish makes the merge stand with what it played.
func (p *player) publish(ctx context.Context, out Merged) (Merged, error) {
	w := p.merge
	w.head, w.commit.Previous = p.now, p.now.Commit.ID
	w.schema, w.properties, w.bound = p.now.Schema, p.now.Properties, p.now.Schema
	for _, one := range w.played {
		w.commit.Added += one.commit.Added
		w.commit.Removed += one.commit.Removed
		w.commit.Modified += one.commit.Modified
		out.Played = append(out.Played, one.commit)
	}
	if len(out.Conflicts) > 0 {
		w.setParam("conflict", out.Conflicts[0].Action.Hash)
		w.request.Receipt = nil // it has not done all that was asked: asked again, it goes on
	}
	w.merged = &out
	c, err := w.publish(ctx)
	out.Commit = c
	if err == nil && len(out.Conflicts) > 0 {
		return out, out.refusal()
	}
	return out, err
}

// action is what a commit of the source did: the states before and after it, and the files that it opened and closed.
type action struct {
	catalog.Commit
	before, after  *Snapshot
	head           *Snapshot // of the source
	opened, closed []*catalog.File
	explicit       bool        // it changed columns because people said so
	renumbered     map[int]int // columns that have other ids here
	parentHash     string      // of a rollback: the commit that it undid
}

// look reads what an action did.
func (p *player) look(ctx context.Context, c catalog.Commit) (did action, err error) {
	did.Commit, did.head = c, p.head
	err = p.merge.store.catalog.Read(ctx, func(tx catalog.Tx) error {
		if did.before, err = p.state(tx, c.Previous); err != nil {
			return err
		}
		if did.after, err = p.state(tx, c.ID); err != nil {
			return err
		}
		root, err := rootOf(tx, c)
		if err != nil {
			return err
		}
		did.explicit = root.Mode == catalog.Schema
		if c.Mode == catalog.Rollback && c.ParentCommitID != 0 {
			parent, err := tx.Commit(c.DatasetID, c.ParentCommitID)
			if err != nil {
				return err
			}
			did.parentHash = parent.Hash
		}
		return nil
	})
	if err == nil {
		did.opened, did.closed = without(did.after.Files(), did.before.Files()), without(did.before.Files(), did.after.Files())
	}
	return did, err
}

// state is the source at a commit.
func (p *player) state(tx catalog.Tx, commit int64) (*Snapshot, error) {
	if p.source != nil && p.source.Commit.ID == commit {
		return p.source, nil
	}
	s, err := p.merge.store.snapshot(tx, p.plan.source, commit)
	p.source = s
	return s, err
}

// findParent finds what a played rollback undoes here: the target's own commit with that hash. Where there is none, or it
// is undone already, nothing is left for it to mark.
func (w *work) findParent(ctx context.Context, hash string) error {
	if hash == "" {
		return nil
	}
	return w.store.catalog.Read(ctx, func(tx catalog.Tx) error {
		found, err := tx.WithHash(w.commit.DatasetID, hash)
		if err != nil {
			return err
		}
		for _, c := range found {
			if undoneBy(w.marks, c) == 0 {
				w.commit.ParentCommitID = c.ID
				return flip(tx, w.marks, c, w.commit.ID)
			}
		}
		return nil
	})
}

// links makes the commit out of the files that the action opened and closed, as they are.
func (w *work) links(did action) {
	w.reopened, w.closed, w.back = did.opened, did.closed, did.after.schemas
	w.commit.Added, w.commit.Removed, w.commit.Modified = did.Added, did.Removed, did.Modified
}

// canLink tells whether the files that an action opened and closed mean here what they mean in the source: those that it
// closed are live, those that it opened are not, and every displaced position lies in a live file.
func (w *work) canLink(did action) bool {
	if len(without(did.closed, w.head.Files())) > 0 || len(without(did.opened, w.head.Files())) < len(did.opened) {
		return false
	}
	linked := *w
	linked.links(did)
	after := linked.snapshotAfter()
	live := map[int64]bool{}
	for _, f := range after.Data {
		live[f.ID] = true
	}
	return !slices.ContainsFunc(after.Rollbacks, func(r *catalog.File) bool {
		for target := range r.Targets {
			if !live[target] {
				return true
			}
		}
		return false
	})
}
