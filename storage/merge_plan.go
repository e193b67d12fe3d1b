package storage

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// mergePlan is which of the source's actions a merge plays.
type mergePlan struct {
	source     catalog.Dataset
	head       *snapshot.Snapshot // of the source
	actions    []catalog.Commit
	skipped    []catalog.Commit
	remembered []string // hashes of those that later merges skip as well
	params     map[string]any
	firstID    int64 // of the commits that play them
}

// planMerge chooses the actions.
func (h *History) planMerge(ctx context.Context, onto *snapshot.Snapshot, m Merge) (plan mergePlan, err error) {
	target := onto.Dataset
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		if plan.source, err = activeFor(Reading(ctx), tx, m.Source); err != nil {
			return err
		}
		if err := checkMergeable(plan.source, target); err != nil {
			return err
		}
		if err := expectsSource(plan.source, m.SourceHead); err != nil {
			return err
		}
		if err := m.Filter.check(tx, plan.source); err != nil {
			return err
		}
		if err := m.checkTakes(tx, plan.source, onto.Schema); err != nil {
			return err
		}
		if plan.head, err = h.snapshot(tx, plan.source, plan.source.Head); err != nil {
			return err
		}
		// By hash: what came by an earlier merge, in either direction, is not played again.
		all, err := missing(tx, plan.source.ID, target.ID)
		if err != nil {
			return err
		}
		remembered, err := rememberedBy(tx, target.ID, plan.source.ID)
		if err != nil {
			return err
		}
		if err := plan.choose(tx, all, m, remembered); err != nil {
			return err
		}
		return permittedToPlay(ctx, tx, target, plan.actions)
	})
	plan.params = map[string]any{
		"source": plan.source.ID, "source_name": plan.source.Name, "source_head": plan.source.Head,
		"autorollback": m.Autorollback,
	}
	if m.Filter != nil {
		plan.params["filter"] = m.Filter
	}
	if m.OnConflict != "" {
		plan.params["on_conflict"] = m.OnConflict
	}
	if len(m.Resolve) > 0 {
		plan.params["resolve"] = m.Resolve
	}
	if len(plan.remembered) > 0 {
		plan.params[rememberedParam] = plan.remembered
	}
	return plan, err
}

// checkMergeable refuses datasets that can't be merged, whatever is in them.
func checkMergeable(source, target catalog.Dataset) error {
	if source.ID == target.ID {
		return fault.Errorf(fault.Invalid, "merge_into_itself",
			"Dataset '%s' can't be merged into itself.", target.Name)
	}
	// Without common files and ids, every record would be one that both sides made.
	if source.FamilyID != target.FamilyID {
		return fault.Errorf(fault.Invalid, "not_family",
			"Datasets '%s' and '%s' have no common history, so they can't be merged. "+
				"Merge a fork and its upstream, or two forks of one dataset.", source.Name, target.Name)
	}
	return nil
}

// check refuses a filter that names nothing.
func (f *MergeFilter) check(tx catalog.Tx, source catalog.Dataset) error {
	if f == nil {
		return nil
	}
	if len(f.Keys)+len(f.Hashes) == 0 {
		return fault.Errorf(fault.Invalid, "empty_filter",
			"The filter names nothing: give it a list of keys or of hashes, or leave it out.").With("field", "filter")
	}
	known := ActionKeys()
	for _, k := range f.Keys {
		if !slices.Contains(known, k) {
			return fault.Errorf(fault.Invalid, "unknown_key",
				"There is no action key %q. The keys are %s.",
				fault.Clip(k), strings.Join(known, ", ")).With("field", "filter")
		}
	}
	for _, h := range f.Hashes {
		if err := checkHash(tx, source, h, "filter"); err != nil {
			return err
		}
	}
	return nil
}

// checkHash refuses a hash that no action of the source has. field is where the request has it.
func checkHash(tx catalog.Tx, source catalog.Dataset, hash, field string) error {
	found, err := tx.WithHash(source.ID, hash)
	if err == nil && len(found) == 0 {
		err = fault.Errorf(fault.Invalid, "unknown_hash",
			"Dataset '%s' has no action with hash %q. Look at its actions for the hashes that it has.",
			source.Name, fault.Clip(hash)).With("field", field)
	}
	return err
}

// selects reports whether a merge plays an action. Without a filter it plays all.
func (f *MergeFilter) selects(c catalog.Commit) bool {
	return f == nil || slices.Contains(f.Keys, ActionKey(c)) || slices.Contains(f.Hashes, c.Hash)
}

// choose leaves out what has no effect, what stays where it was made, and what the filter skips. What is skipped is not
// lost: a later merge plays it, unless it is remembered.
func (p *mergePlan) choose(tx catalog.Tx, all []catalog.Commit, m Merge, remembered map[string]bool) error {
	none := cancelled(all)
	for _, a := range all {
		roots, err := rootsOf(tx, a)
		if err != nil {
			return err
		}
		switch {
		case none[a.ID], !slices.ContainsFunc(roots, isMergeable):
		case m.Filter.selects(a) && (m.Filter != nil || !remembered[a.Hash]):
			p.actions = append(p.actions, a)
		default:
			p.skipped = append(p.skipped, a)
			if m.Remember && m.Filter != nil && !remembered[a.Hash] {
				p.remembered = append(p.remembered, a.Hash)
			}
		}
	}
	return nil
}

// isMergeable reports whether merges play a commit: what is said of a dataset stays where it was said.
func isMergeable(c catalog.Commit) bool { return c.Mode != catalog.Edit }

const rememberedParam = "remembered" // of a merge: hashes of the actions that later merges from there skip

// rememberedBy reports which actions earlier merges of the same two datasets skipped for good.
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

// giveIDs gives the merge its id, after those of the commits that it may play.
func (p *mergePlan) giveIDs(ctx context.Context, w *work) (err error) {
	// Drawn at once, and before that of the merge: what it plays comes before it in the log.
	n := int64(len(p.actions))
	// A dry run takes none: what it plays is not going to stand.
	if w.request.Preview != nil {
		n = 0
	}
	if p.firstID, err = w.store.catalog.Draw(ctx, w.head.Dataset.ID, catalog.CommitIDs, n); err != nil {
		return err
	}
	if err := w.giveID(ctx, catalog.Merge); err != nil {
		return err
	}
	if w.commit.Message == "" {
		w.commit.Message = mergeMessage(p.source.Name)
	}
	for name, value := range p.params {
		w.setParam(name, value)
	}
	return nil
}

// Merge is a request to play the actions of one dataset on another of its family (design, section 6).
type Merge struct {
	Source       string       // id of the dataset whose actions are played
	Autorollback bool         // true: any conflict, and nothing changes; false: what comes before the conflict stands
	Filter       *MergeFilter // nil: all actions
	OnConflict   Take         // whose change stands where both sides changed the same; empty: that is a conflict
	Resolve      []Resolution // of some records or actions: the first that applies takes precedence over OnConflict
	Remember     bool         // what the filter skips is not played by later merges, unless they name it
	DryRun       bool         // only tell what would happen
	SourceHead   int64        // refuse where the source's head is another; 0: whatever it is

	proposal int64 // the number of the proposal that is merged; 0: none
}

// MergeFilter selects actions by key or by hash.
type MergeFilter struct {
	Keys   []string `json:"key,omitempty"`
	Hashes []string `json:"hash,omitempty"`
}

// Merged is what a merge did, or would do. Either Commit is set, or there was nothing to do, or it was a dry run.
type Merged struct {
	Commit    catalog.Commit   // the merge; ID 0 where there was nothing to do, or on a dry run
	Preview   *Preview         // of a dry run
	Played    []catalog.Commit // as they are in the target; on a dry run, in the source
	Skipped   []catalog.Commit // of the source, left out by the filter or remembered
	Conflicts []MergeConflict
	Decided   int64 // how many conflicts of records the request decided

	SourceHead, TargetHead int64 // that the merge was made of
}
