package storage

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// undoing is a commit that is to be undone, and what is in the way. It is read only: a question about a rollback and
// the rollback itself make the same one.
type undoing struct {
	undone sets
	after  []catalog.Commit // the commits after it, undone ones too, the oldest first; a merge counts as one
	did    map[int64]sets   // what those did that were looked at, and what cascades among them undid
	order  []int64          // what is in the way, in the order in which to undo it: the newest first
	marks  map[int64]int64  // what is undone once that is
	answer Rollbackable
}

// blockers finds what is in the way of undoing a commit: the later commits that block it, those that block these, and
// what stands again when one of them is undone, if that blocks too. The answer lists them in the order in which they
// can be rolled back one by one, which is also what a cascade does.
func (h *History) blockers(
	ctx context.Context, head *snapshot.Snapshot, commit int64, p Policy,
) (u *undoing, err error) {
	u = &undoing{did: map[int64]sets{}}
	if p != Stack && p != Records {
		return u, fault.Errorf(fault.Invalid, "unknown_policy",
			"There is no policy %q. A policy is stack or records.", fault.Clip(string(p)))
	}
	u.answer = Rollbackable{Policy: p, Detail: fmt.Sprintf("Commit %d can be rolled back.", commit), Blockers: []Blocker{}}
	if err := h.catalog.Read(ctx, func(tx catalog.Tx) error { return u.read(tx, h, head, commit) }); err != nil {
		return u, err
	}
	// It has no state before it that is the fork's own.
	if u.undone.commit.Mode == catalog.Fork {
		return u, fault.Errorf(fault.Conflict, "fork_commit",
			"Commit %d made this fork and can't be rolled back. Delete the dataset instead.", commit)
	}
	if by := u.undone.commit.RollbackCommitID; by != 0 {
		return u, fault.Errorf(fault.Conflict, "already_rolled_back",
			"Commit %d has been rolled back already, by commit %d. To redo it, roll back commit %d.", commit, by, by).
			With("is_blocked", true).With("policy", p).With("blocking_commits", []Blocker{})
	}
	return u, u.find(ctx, h, head, p)
}

// read reads what the commit did, and which commits came after it. What came with it in one merge is not among these.
// None are read where it is plain that none of them touched its records.
func (u *undoing) read(tx catalog.Tx, h *History, head *snapshot.Snapshot, commit int64) error {
	d := head.Dataset
	c, err := tx.Commit(d.ID, commit)
	if err != nil {
		return orNotFound(err, "commit_not_found", "Commit %d not found in dataset '%s'", commit, d.Name)
	}
	if u.undone, err = h.setsOf(tx, c); err != nil {
		return err
	}
	u.did[commit] = u.undone
	if u.answer.Policy == Records {
		if alone, err := isUntouched(tx, head, u.undone); alone || err != nil {
			return err
		}
	}
	after, err := tx.CommitsAfter(d.ID, commit)
	u.after = slices.DeleteFunc(after, func(l catalog.Commit) bool {
		return l.MergeCommitID != 0 && l.MergeCommitID != c.MergeCommitID || l.ID == c.MergeCommitID
	})
	return err
}

// find adds to what is in the way until nothing that stands blocks what is undone.
func (u *undoing) find(ctx context.Context, h *History, head *snapshot.Snapshot, p Policy) error {
	c := overlapCounter{from: h, head: head}
	defer c.end()
	inTheWay := map[int64]bool{}
	// Undoing one more may bring a commit back into effect that blocks in its turn, so it is looked at again until
	// nothing is added. It ends, as each round adds at least one of finitely many commits.
	for {
		err := h.catalog.Read(ctx, func(tx catalog.Tx) error { return u.undoInTurn(tx, h, inTheWay) })
		if err != nil {
			return err
		}
		more, err := c.blocking(ctx, p, u)
		if err != nil {
			return err
		}
		if len(more) == 0 {
			return u.tell(ctx, &c)
		}
		for _, id := range more {
			inTheWay[id] = true
		}
	}
}

// undoInTurn tries to undo what is in the way, the newest first, and reads what the commits did that stand then.
func (u *undoing) undoInTurn(tx catalog.Tx, h *History, inTheWay map[int64]bool) (err error) {
	u.order, u.marks = nil, map[int64]int64{}
	for _, l := range slices.Backward(u.after) {
		// One that is undone by another's undoing, as what a merge played, needs none of its own.
		if inTheWay[l.ID] && undoneBy(u.marks, l) == 0 {
			if err := flip(tx, u.marks, l, math.MaxInt64); err != nil {
				return err
			}
			u.order = append(u.order, l.ID)
		}
	}
	for _, l := range u.after {
		if undoneBy(u.marks, l) != 0 {
			continue
		}
		// It may be known already as what a cascade undid, but not what it undid itself.
		if _, known := u.did[l.ID]; !known {
			if u.did[l.ID], err = h.setsOf(tx, l); err != nil {
				return err
			}
		}
		if err := u.readUndone(tx, h, l); err != nil {
			return err
		}
	}
	return nil
}

// follows reports whether a commit stands after another, once what is in the way is undone. A rollback and what it
// undid cancel, where both came after.
func (u *undoing) follows(l catalog.Commit, commit int64) bool {
	return l.ID > commit && undoneBy(u.marks, l) == 0 && !(l.Mode == catalog.Rollback && l.ParentCommitID > commit)
}

// isFollowed reports whether any commit follows one.
func (u *undoing) isFollowed(commit int64) bool {
	return slices.ContainsFunc(u.after, func(l catalog.Commit) bool { return u.follows(l, commit) })
}

// all are what is in the way and the commit itself, in the order in which to undo them.
func (u *undoing) all() (all []sets) {
	for _, id := range u.order {
		all = append(all, u.did[id])
	}
	return append(all, u.undone)
}

// tell makes the answer of what was found. Records that both touched are counted only for those that block: the number
// is for people who decide.
func (u *undoing) tell(ctx context.Context, c *overlapCounter) error {
	if len(u.order) == 0 {
		return nil
	}
	all := u.all()
	common, err := c.overlapping(ctx, u.undone, all[:len(u.order)])
	if err != nil {
		return err
	}
	for i, one := range all[:len(u.order)] {
		u.answer.Blockers = append(u.answer.Blockers, Blocker{Commit: one.commit, Overlapping: common[i]})
	}
	if err := u.hide(ctx, c.from.catalog); err != nil {
		return err
	}
	u.answer.Blocked = true
	u.answer.Detail = u.answer.explain(u.undone.commit.ID)
	return nil
}

// hide leaves out of the answer what the client of a request is not to know of.
func (u *undoing) hide(ctx context.Context, from *catalog.Catalog) error {
	if permitOf(ctx) == nil {
		return nil
	}
	commits := make([]catalog.Commit, len(u.answer.Blockers))
	for i, b := range u.answer.Blockers {
		commits[i] = b.Commit
	}
	err := from.Read(ctx, func(tx catalog.Tx) error { return hideOrigins(ctx, tx, commits) })
	for i := range commits {
		u.answer.Blockers[i].Commit = commits[i]
	}
	return err
}

// explain says what blocks a commit, and what to do about it, in one or two sentences.
func (a Rollbackable) explain(commit int64) string {
	list := make([]string, 0, len(a.Blockers))
	safe := true
	// The newest first: that is the order in which they can be undone.
	for _, b := range a.Blockers {
		list = append(list, fmt.Sprint(b.ID))
		safe = safe && b.Overlapping == 0
	}
	text := fmt.Sprintf("Commit %d is blocked by commit %s: roll that back first.", commit, list[0])
	if last := len(list) - 1; last > 0 {
		text = fmt.Sprintf("Commit %d is blocked by commits %s and %s: roll those back first, in this order.",
			commit, strings.Join(list[:last], ", "), list[last])
	}
	if a.Policy == Stack && safe {
		text += " They have no record in common: the policy \"records\" allows it."
	}
	return text
}

// Policy is when a later commit blocks a rollback (design, section 4). It decides only what blocks: a rollback that is
// not blocked does the same under either.
type Policy string

// The policies.
const (
	Stack   Policy = "stack"   // seed 003: later overwrites and upserts block, and whatever undoing would not survive
	Records Policy = "records" // only commits that touched the same records block
)

// Blocker is a later commit, and how many of the records that it touched the undone commit touched too.
type Blocker struct {
	catalog.Commit
	Overlapping int64 `json:"overlapping_records"`
}

// Rollbackable reports whether a commit can be undone, and what must be undone first. Detail is a sentence for people;
// Blockers are what programs act on.
type Rollbackable struct {
	Policy   Policy
	Blocked  bool
	Detail   string
	Blockers []Blocker // in the order in which to undo them
}

// refusal is the error that names what blocks.
func (a Rollbackable) refusal() *fault.Error {
	return fault.Errorf(fault.Blocked, "rollback_blocked", "%s", a.Detail).
		With("is_blocked", true).With("policy", a.Policy).With("blocking_commits", a.Blockers)
}
