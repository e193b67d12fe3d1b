package storage

import (
	"context"
	"maps"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// action is what a commit of the source did: the states before and after it, and the files that it opened and closed.
// Both snapshots are of the source; the target is in the commit that plays it.
type action struct {
	catalog.Commit
	before, after  *snapshot.Snapshot
	head           *snapshot.Snapshot // of the source
	opened, closed []*catalog.File
	takes          *takings
	explicit       bool         // it, or some of what it undid, changed columns because people said so
	onlyVariables  bool         // all of it did: it changed no records but in those columns
	renumbered     map[int]int  // columns that have other ids here
	undone         []string     // of a rollback: the hashes of what it undid, the newest first
	given          map[int]bool // columns in which it gave values to records; nil: not found out yet
}

// look reads what an action did.
func (p *player) look(ctx context.Context, c catalog.Commit) (did action, err error) {
	did.Commit, did.head, did.takes = c, p.head, p.request.takings(c)
	err = p.merge.store.catalog.Read(ctx, func(tx catalog.Tx) error {
		// The state after one action is mostly the state before the next (player.source).
		if did.before, err = p.state(tx, c.Previous); err != nil {
			return err
		}
		if did.after, err = p.state(tx, c.ID); err != nil {
			return err
		}
		roots, err := rootsOf(tx, c)
		if err != nil {
			return err
		}
		did.explicit = slices.ContainsFunc(roots, isSchema)
		did.onlyVariables = !slices.ContainsFunc(roots, func(c catalog.Commit) bool { return !isSchema(c) })
		for _, id := range undoes(c) {
			parent, err := tx.Commit(c.DatasetID, id)
			if err != nil {
				return err
			}
			did.undone = append(did.undone, parent.Hash)
		}
		return nil
	})
	if err != nil {
		return did, err
	}
	before, after := did.before.Files(), did.after.Files()
	// From the states and not from the entries: what a merge closed and opened again is no change.
	did.opened, did.closed = snapshot.Without(after, before), snapshot.Without(before, after)
	// What is merged is relied on in another dataset from then on.
	return did, p.merge.store.readWhole(ctx, did.opened)
}

// state is the source at a commit.
func (p *player) state(tx catalog.Tx, commit int64) (*snapshot.Snapshot, error) {
	if p.source != nil && p.source.Commit.ID == commit {
		return p.source, nil
	}
	s, err := p.merge.store.snapshot(tx, p.plan.source, commit)
	p.source = s
	return s, err
}

// actionWork is a commit of a merge, while it is made of an action of the source.
type actionWork struct {
	*work
	did *action
}

// findParents finds what a played rollback undoes here: the target's own commits with those hashes. Where there are
// none, or they are undone already, nothing is left for it to mark.
func (w actionWork) findParents(ctx context.Context) error {
	hashes := w.did.undone
	if len(hashes) == 0 {
		return nil
	}
	var here []int64
	err := w.store.catalog.Read(ctx, func(tx catalog.Tx) error {
		for _, hash := range hashes {
			id, err := w.undoHere(tx, hash)
			if err != nil {
				return err
			}
			if id != 0 {
				here = append(here, id)
			}
		}
		return nil
	})
	if err != nil || len(here) == 0 {
		return err
	}
	last := len(here) - 1
	w.commit.ParentCommitID = here[last]
	if len(hashes) > 1 {
		w.setParam(cascadeParam, here[:last]) // the ids that they have here
	}
	return nil
}

// undoHere marks the commit with that hash as undone, and returns its id; 0 where there is none to mark.
func (w actionWork) undoHere(tx catalog.Tx, hash string) (int64, error) {
	found, err := tx.WithHash(w.commit.DatasetID, hash)
	if err != nil {
		return 0, err
	}
	// A dataset may have an action twice, played, undone and played again: the one that stands is meant.
	for _, c := range found {
		if undoneBy(w.marks, c) == 0 {
			return c.ID, flip(tx, w.marks, c, w.commit.ID)
		}
	}
	return 0, nil
}

// links makes the commit out of the files that the action opened and closed, as they are.
func (d *draft) links(did *action) {
	d.reopened, d.closed, d.back = did.opened, did.closed, did.after.Schemas
	d.commit.Added, d.commit.Removed, d.commit.Modified = did.Added, did.Removed, did.Modified
}

// schemas are those of the files that the action opened and closed.
func (did *action) schemas() map[string]schema.Schema {
	out := maps.Clone(did.before.Schemas)
	maps.Copy(out, did.after.Schemas)
	return out
}

// noted is what the action did to values. Of commits of an older program it is not known.
func (did *action) noted() (n noted) {
	if e := did.Effects; e != nil {
		n.cleared, n.filled = columnIDs(did.after.Schema, e.ColumnsCleared), columnIDs(did.after.Schema, e.ColumnsFilled)
	}
	return n
}

// canLink reports whether the files that an action opened and closed mean here what they mean in the source: those that
// it closed are live, those that it opened are not, and every displaced position lies in a live file. It reads the
// catalog's rows alone, and no file.
func (w actionWork) canLink() bool {
	here := w.head.Files()
	if len(snapshot.Without(w.did.closed, here)) > 0 || len(snapshot.Without(w.did.opened, here)) < len(w.did.opened) {
		return false
	}
	// A position that is displaced in a file which is not live here would displace a row that may come back later.
	linked := w.clone()
	linked.links(w.did)
	after := linked.leaves()
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

// player plays actions on a target, one after the other. It holds no lock of its own: the merge's work does.
type player struct {
	merge     *work
	request   Merge
	plan      mergePlan
	now       *snapshot.Snapshot // the target, with what was played
	source    *snapshot.Snapshot // the last state of the source that was looked at
	head      *snapshot.Snapshot // of the source
	clean     []catalog.Commit
	conflicts []MergeConflict
	decided   int64 // conflicts of records that the request decided
}
