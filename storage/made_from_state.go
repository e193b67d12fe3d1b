package storage

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/lineage"
)

// mostMade is how many commits of a state are asked for their lineage.
const mostMade = 2000

// MadeFrom is what the state at a ref was made from.
type MadeFrom struct {
	Dataset    catalog.Dataset
	Commit     int64
	Lineage    lineage.Lineage
	Commits    []int64 // that say so, newest first
	Versions   []string
	IsComplete bool // no more commits have a lineage than are asked for it
}

// MadeFrom returns what the state at a ref was made from, as its commits say, and the versions that name them. Commits
// that were undone say nothing, nor do those before a file that replaced all records.
func (h *History) MadeFrom(ctx context.Context, dataset, ref string) (out MadeFrom, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeFor(ctx, tx, dataset)
		if err != nil {
			return err
		}
		commit, err := locate(tx, d, ref, h.now)
		if err != nil {
			return err
		}
		out, err = madeFrom(ctx, tx, d, commit)
		return err
	})
	return out, err
}

// MadeFromAt is MadeFrom of a state that was found.
func (h *History) MadeFromAt(ctx context.Context, d catalog.Dataset, commit int64) (out MadeFrom, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error { out, err = madeFrom(ctx, tx, d, commit); return err })
	return out, err
}

// saying is a commit, or a version that names it, with its lineage.
type saying struct {
	commit  int64
	version *catalog.Version // nil: the commit itself
	lineage lineage.Lineage
}

// madeFrom is MadeFrom at a commit.
func madeFrom(ctx context.Context, tx catalog.Tx, d catalog.Dataset, commit int64) (out MadeFrom, err error) {
	out = MadeFrom{Dataset: d, Commit: commit}
	all, isComplete, err := sayings(ctx, tx, d, commit)
	if err != nil {
		return out, err
	}
	out.IsComplete = isComplete
	for _, one := range all { // oldest first
		out.Lineage = out.Lineage.With(one.lineage)
	}
	for _, one := range slices.Backward(all) {
		if one.version != nil {
			out.Versions = append(out.Versions, VersionNumber(*one.version))
		} else {
			out.Commits = append(out.Commits, one.commit)
		}
	}
	return out, nil
}

// sayings are the commits and versions that say what a state was made from, oldest first, as far as the client of a
// request may know. isComplete is false if there are more.
func sayings(
	ctx context.Context, tx catalog.Tx, d catalog.Dataset, commit int64,
) (all []saying, isComplete bool, err error) {
	commits, err := tx.CommitsWithLineage(d.ID, commit, mostMade)
	if err != nil {
		return nil, false, err
	}
	versions, err := tx.VersionsWithLineage(d.ID, commit, mostMade)
	if err != nil || len(commits)+len(versions) == 0 {
		return nil, true, err
	}
	stands, err := standing(tx, d.ID, commit)
	if err != nil {
		return nil, false, err
	}
	add := func(one saying, metadata json.RawMessage) error {
		l := lineage.Of(metadata)
		if l == nil || !stands(one.commit) {
			return nil
		}
		one.lineage = *l
		all = append(all, one)
		return seenInputs(ctx, tx, &all[len(all)-1].lineage)
	}
	for _, c := range commits {
		if err := add(saying{commit: c.ID}, c.Metadata); err != nil {
			return nil, false, err
		}
	}
	for i, v := range versions {
		if err := add(saying{commit: v.CommitID, version: &versions[i]}, v.Metadata); err != nil {
			return nil, false, err
		}
	}
	// A version speaks after the commit that it names.
	slices.SortStableFunc(all, func(a, b saying) int {
		return cmp.Or(cmp.Compare(a.commit, b.commit), cmp.Compare(a.versionID(), b.versionID()))
	})
	return all, len(commits) < mostMade && len(versions) < mostMade, nil
}

func (s saying) versionID() int64 {
	if s.version == nil {
		return 0
	}
	return s.version.ID
}

// standing returns what reports whether a commit is a part of the state at another: it has neither been undone by then,
// nor left behind by a restore or a file that replaced all records.
func standing(tx catalog.Tx, dataset string, at int64) (func(commit int64) bool, error) {
	turns, err := tx.FilteredCommits(dataset, catalog.CommitFilter{
		Modes: []catalog.Mode{catalog.Restore, catalog.Replace}, Before: at + 1, Limit: math.MaxInt32,
	})
	if err != nil {
		return nil, err
	}
	rollbacks, err := tx.Rollbacks(dataset) // those that merges played too
	if err != nil {
		return nil, err
	}
	turns = append(turns, rollbacks...)
	slices.SortFunc(turns, newestFirst)
	undone := map[int64]bool{}
	type span struct{ from, to int64 } // both included
	var seen []span
	upper := at
	for _, c := range turns { // newest first, so that a rollback that was undone is known to be
		if undone[c.ID] || c.ID > upper {
			continue
		}
		switch c.Mode {
		case catalog.Replace:
			seen = append(seen, span{c.ID, upper})
			upper = 0
		case catalog.Rollback:
			if err := noteUndone(tx, undone, c); err != nil {
				return nil, err
			}
		case catalog.Restore:
			var to struct {
				Commit int64 `json:"commit"`
			}
			if json.Unmarshal(c.Params, &to) == nil {
				seen = append(seen, span{c.ID, upper})
				upper = to.Commit
			}
		}
	}
	seen = append(seen, span{0, upper})
	return func(commit int64) bool {
		return !undone[commit] && slices.ContainsFunc(seen, func(s span) bool { return s.from <= commit && commit <= s.to })
	}, nil
}

// noteUndone notes what a rollback undid, with what that played.
func noteUndone(tx catalog.Tx, undone map[int64]bool, rollback catalog.Commit) error {
	for _, id := range undoes(rollback) {
		undone[id] = true
		played, err := tx.Played(rollback.DatasetID, id)
		if err != nil {
			return err
		}
		for _, p := range played {
			undone[p.ID] = true
		}
	}
	return nil
}
