package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// Merge plays the source's actions that the target does not have, oldest first, each as a commit of its own with the
// same hash, and all of them as one entry of the target's log, which one rollback undoes. A conflict is an error of
// kind Conflict, with the fields conflicts ([]MergeConflict) and played ([]catalog.Commit: those that stand, none with
// Autorollback). A dry run returns conflicts without an error.
func (s *Store) Merge(ctx context.Context, target string, m Merge, r Request) (Merged, error) {
	if m.DryRun && r.Preview == nil {
		r.Preview = &Preview{}
	}
	w, err := s.lockHead(ctx, target, r)
	if err != nil {
		return Merged{}, err
	}
	defer w.end()
	// Under the lock on the target: what it lacks can't change any more. The source may go on; its head is the plan's.
	plan, err := s.planMerge(ctx, w.head, m)
	if err != nil {
		return Merged{}, err
	}
	if err := plan.giveIDs(ctx, w); err != nil {
		return Merged{}, err
	}
	if err := w.connect(ctx); err != nil {
		return Merged{}, err
	}
	if err := m.checkTakenKeys(ctx, w.conn, w.schema); err != nil {
		return Merged{}, err
	}
	// Everything is played before anything is published: a conflict in the last action leaves no trace of the first.
	p := player{merge: w, request: m, plan: plan, now: w.head, head: plan.head}
	if err := p.playAll(ctx, m); err != nil {
		return Merged{}, err
	}
	out := Merged{
		Skipped: plan.skipped, Conflicts: p.conflicts, Decided: p.decided,
		SourceHead: plan.source.Head, TargetHead: w.head.Dataset.Head,
	}
	if r.Preview != nil {
		return p.preview(ctx, out)
	}
	if len(p.conflicts) > 0 && m.Autorollback {
		return out, out.refusal()
	}
	// A merge that played nothing is not recorded, unless there is something to remember.
	if len(w.played) == 0 && len(plan.remembered) == 0 {
		if len(p.conflicts) > 0 {
			return out, out.refusal()
		}
		return out, nil
	}
	return p.publish(ctx, out)
}

// playAll plays the plan's actions: up to the first conflict, where what comes before it is to stand; else it goes on,
// to find all conflicts.
func (p *player) playAll(ctx context.Context, m Merge) error {
	for i, a := range p.plan.actions {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.merge.request.report(i*100/len(p.plan.actions), fmt.Sprintf("Playing action %d of %d",
			i+1, len(p.plan.actions)))
		err := p.play(ctx, a)
		var conflict *conflictError
		// Actions after a conflict are played too, to report every conflict at once, unless what comes before it is to
		// stand.
		if errors.As(err, &conflict) {
			p.found(conflict.of(a))
			if !m.Autorollback && p.merge.request.Preview == nil {
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

// shownActions is up to how many of the actions in conflict are shown with their records.
const shownActions = 20

// found adds a conflict. All are counted; the records of the first few are shown.
func (p *player) found(c MergeConflict) {
	if len(p.conflicts) >= shownActions {
		c.Records = nil
	}
	p.conflicts = append(p.conflicts, c)
}

// play plays one action: it becomes a commit of the merge, with the files that it has, or with files made anew. An
// action that conflicts leaves the target as it was before it: what it wrote is not among what was played.
func (p *player) play(ctx context.Context, a catalog.Commit) error {
	did, err := p.look(ctx, a)
	if err != nil {
		return err
	}
	one := actionWork{p.commit(a), &did}
	if err := one.findParents(ctx); err != nil {
		return err
	}
	if err := one.playColumns(ctx); err != nil {
		return err
	}
	if err := one.playRows(ctx); err != nil {
		return err
	}
	one.narrowColumns()
	if err := one.playDerivations(ctx); err != nil {
		return err
	}
	if err := one.conclude(); err != nil {
		return err
	}
	// The next action is played on this one, which is not in the catalog yet.
	p.decided += did.takes.decided
	p.merge.played = append(p.merge.played, one.clone())
	p.now = one.leaves()
	return nil
}

// commit starts a commit of the merge. It keeps who made the action, when that was asked and its hash: it is the same
// action in another dataset.
func (p *player) commit(a catalog.Commit) *work {
	w := p.merge
	// It shares what the merge holds, so that all of them are one transaction, with files in one directory.
	one := newWork(w.held)
	one.draft, one.writer.part = draftOn(p.now), len(w.played)
	one.marks = p.marks()
	one.commit = catalog.Commit{
		DatasetID: w.commit.DatasetID, ID: p.plan.firstID + int64(len(w.played)), RowTag: a.RowTag, Previous: p.now.Commit.ID,
		MergeCommitID: w.commit.ID, Mode: a.Mode, Message: a.Message, User: a.User, Hash: a.Hash, Metadata: a.Metadata,
		Params: a.Params,
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

// preview tells what the merge would do: all actions that have no conflict, as they are in the source.
func (p *player) preview(ctx context.Context, out Merged) (Merged, error) {
	w := p.merge
	if err := p.sum(ctx); err != nil {
		return out, err
	}
	if err := w.complete(); err != nil {
		return out, err
	}
	if err := w.checkRecords(ctx); err != nil {
		return out, err
	}
	if err := w.takeQuota(ctx); err != nil {
		return out, err
	}
	out.Played = p.clean
	out.Preview = w.request.Preview
	return out, w.preview(ctx, out.Preview)
}

// sum makes the merge's own commit of what it played. It counts the records that differ between the target before the
// merge and after it: a record that two actions changed counts once, one that came and went not at all.
func (p *player) sum(ctx context.Context) error {
	w := p.merge
	// The merge itself opens and closes nothing: what it played did.
	commit := w.commit
	w.draft = draftOn(p.now)
	w.commit, w.commit.Previous = commit, p.now.Commit.ID
	if !addUp(w.played) {
		return w.writer.count(ctx, snapshot.Diff(w.drafts()[0].head, w.leaves()))
	}
	for _, one := range w.played {
		w.commit.Added += one.commit.Added
		w.commit.Removed += one.commit.Removed
		w.commit.Modified += one.commit.Modified
	}
	return nil
}

// publish makes the merge stand with what it played. The commits that it played stand with it, in one transaction.
func (p *player) publish(ctx context.Context, out Merged) (Merged, error) {
	w := p.merge
	if err := p.sum(ctx); err != nil {
		return out, err
	}
	for _, one := range w.played {
		out.Played = append(out.Played, one.commit)
	}
	if out.Decided > 0 {
		w.setParam("decided", out.Decided)
	}
	w.setProposed(p.request.proposal)
	if len(out.Conflicts) > 0 {
		w.setParam("conflict", out.Conflicts[0].Action.Hash)
		w.request.Receipt = nil // it has not done all that was asked: asked again, it goes on
	}
	out, err := publish(ctx, w, func(w *work) Merged {
		out.Commit = w.commit
		return out
	})
	if err == nil && len(out.Conflicts) > 0 {
		return out, out.refusal()
	}
	return out, err
}
