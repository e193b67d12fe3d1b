package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rowback/storage/catalog"
	"rowback/storage/fault"
	"rowback/storage/snapshot"
)

// blockers finds what a commit did, whether later commits stand, and which of them are in the way of undoing it.
func (h *History) blockers(
	ctx context.Context, head *snapshot.Snapshot, commit int64, p Policy,
) (undone sets, followed bool, answer Rollbackable, err error) {
	if p != Stack && p != Records {
		return undone, false, answer, fault.Errorf(fault.Invalid, "unknown_policy",
			"There is no policy %q. A policy is stack or records.", fault.Clip(string(p)))
	}
	answer = Rollbackable{Policy: p, Detail: fmt.Sprintf("Commit %d can be rolled back.", commit), Blockers: []Blocker{}}
	var later []sets
	err = h.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		undone, later, err = h.standing(tx, head.Dataset, commit)
		return err
	})
	if err != nil {
		return undone, false, answer, err
	}
	if undone.commit.Mode == catalog.Fork {
		return undone, false, answer, fault.Errorf(fault.Conflict, "fork_commit",
			"Commit %d made this fork and can't be rolled back. Delete the dataset instead.", commit)
	}
	if by := undone.commit.RollbackCommitID; by != 0 {
		return undone, false, answer, fault.Errorf(fault.Conflict, "already_rolled_back",
			"Commit %d has been rolled back already, by commit %d. To redo it, roll back commit %d.", commit, by, by).
			With("is_blocked", true).With("policy", p).With("blocking_commits", []Blocker{})
	}
	// The common case, and the only one that reads no file.
	if len(later) == 0 {
		return undone, false, answer, nil
	}
	found, err := h.overlaps(ctx, head, undone, later)
	if err != nil {
		return undone, true, answer, err
	}
	for i, l := range later {
		if o := found[i]; o.blocks(p, undone, l) {
			answer.Blockers = append(answer.Blockers, Blocker{Commit: l.commit, Overlapping: o.touched})
		}
	}
	if len(answer.Blockers) > 0 {
		answer.Blocked = true
		answer.Detail = answer.explain(commit)
	}
	return undone, true, answer, nil
}

func (a Rollbackable) explain(commit int64) string {
	list := make([]string, 0, len(a.Blockers))
	safe := true
	// The newest first: that is the order in which they can be undone.
	for _, b := range slices.Backward(a.Blockers) {
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

// Policy is when a later commit blocks a rollback (design, section 4).
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

// Rollbackable reports whether a commit can be undone, and what must be undone first.
type Rollbackable struct {
	Policy   Policy
	Blocked  bool
	Detail   string
	Blockers []Blocker
}

// refusal is the error that tells what blocks.
func (a Rollbackable) refusal() *fault.Error {
	return fault.Errorf(fault.Blocked, "rollback_blocked", "%s", a.Detail).
		With("is_blocked", true).With("policy", a.Policy).With("blocking_commits", a.Blockers)
}
