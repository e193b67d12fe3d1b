package storage

import (
	"cmp"
	"slices"
	"sort"

	"github.com/rowback/rowback/storage/catalog"
)

// stretch is a run of kept states, by their numbers: from one until before another.
type stretch struct{ from, until int }

// stretches are kept states: runs that ascend and do not touch.
type stretches []stretch

// joined returns the states that are in any of some stretches.
func joined(all ...stretches) (out stretches) {
	list := slices.Concat(all...)
	slices.SortFunc(list, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	for _, s := range list {
		if last := len(out) - 1; last >= 0 && s.from <= out[last].until {
			out[last].until = max(out[last].until, s.until)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// covers reports whether s has all states of t.
func (s stretches) covers(t stretches) bool {
	i := 0
	for _, run := range t {
		for i < len(s) && s[i].until <= run.from {
			i++
		}
		if i == len(s) || s[i].from > run.from || s[i].until < run.until {
			return false
		}
	}
	return true
}

// meets reports whether s has any of the states of t.
func (s stretches) meets(t stretches) bool {
	for i, j := 0, 0; i < len(s) && j < len(t); {
		switch {
		case s[i].until <= t[j].from:
			i++
		case t[j].until <= s[i].from:
			j++
		default:
			return true
		}
	}
	return false
}

// liveness finds in which of the kept states each file of the family is live, by id. The states are numbered: those
// after the commits that one dataset made follow one another.
func (k *keeping) liveness(datasets []catalog.Dataset) (map[int64]stretches, error) {
	live := map[int64]stretches{}
	first := 0
	for _, d := range datasets {
		own, err := k.keptOf(d.ID)
		if err != nil {
			return nil, err
		}
		if len(own) == 0 {
			continue
		}
		entries, err := k.tx.Entries(d.ID, catalog.Forever)
		if err != nil {
			return nil, err
		}
		at := func(commit int64) int { return sort.Search(len(own), func(i int) bool { return own[i] >= commit }) }
		for _, e := range entries {
			if s := (stretch{first + at(e.Begin), first + at(e.End)}); s.from < s.until {
				live[e.File] = append(live[e.File], s)
			}
		}
		first += len(own) + 1 // a gap, so that runs of two datasets do not touch
	}
	for id, s := range live {
		live[id] = joined(s)
	}
	return live, nil
}
