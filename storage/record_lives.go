package storage

import (
	"cmp"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// span is from one commit until just before another.
type span struct{ from, until int64 }

// spansOf returns when each file is live, in order.
func spansOf(entries []catalog.Entry) map[int64][]span {
	out := map[int64][]span{}
	for _, e := range entries {
		if e.Begin < e.End {
			out[e.File] = append(out[e.File], span{e.Begin, e.End})
		}
	}
	return out
}

// without returns the spans less others. Both are sorted here.
func without(spans, others []span) (out []span) {
	slices.SortFunc(spans, byStart)
	slices.SortFunc(others, byStart)
	for _, s := range spans {
		for _, o := range others {
			if o.until <= s.from || o.from >= s.until {
				continue
			}
			if s.from < o.from {
				out = append(out, span{s.from, o.from})
			}
			s.from = o.until
			if s.from >= s.until {
				break
			}
		}
		if s.from < s.until {
			out = append(out, s)
		}
	}
	return out
}

// byStart orders spans by their first commit.
func byStart(a, b span) int { return cmp.Compare(a.from, b.from) }

// recordStep is a commit in which another row became that of a record, or none.
type recordStep struct {
	commit int64
	snapshot.Step
}

// turn is a commit in which a row of a record became live, or ceased to be.
type turn struct {
	commit int64
	place  *snapshot.Place
	starts bool
}

// stepsOf returns the steps of a record, oldest first, from when each of its rows was live. A record has one row at a
// time.
func stepsOf(lives map[snapshot.Place][]span) (steps []recordStep) {
	var turns []turn
	for place, spans := range lives {
		for _, s := range spans {
			turns = append(turns, turn{s.from, &place, true}, turn{s.until, &place, false})
		}
	}
	slices.SortFunc(turns, func(a, b turn) int { return cmp.Compare(a.commit, b.commit) })
	var now *snapshot.Place
	for i := 0; i < len(turns); {
		step := recordStep{commit: turns[i].commit, Step: snapshot.Step{Before: now}}
		for ; i < len(turns) && turns[i].commit == step.commit; i++ {
			// In one commit the old row ends and the new one starts; which of the two turns comes first is open.
			if turns[i].starts {
				step.After = turns[i].place
			}
		}
		now = step.After
		// Closed and opened again by the same commit, it is what it was.
		if step.Before == nil || now == nil || *step.Before != *now {
			steps = append(steps, step)
		}
	}
	return steps
}
