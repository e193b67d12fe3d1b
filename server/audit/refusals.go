package audit

import "time"

// Refusals that repeat are counted, so that a client that is refused ten thousand times does not fill the disk: in each
// minute, the first few of a kind are entries of their own, and one more entry at the minute's end says how many more
// there were.
const (
	each    = 10
	window  = time.Minute
	maxKept = 1000 // kinds that are told apart
)

// refusals are those of the current minute.
type refusals struct {
	began   time.Time
	counts  map[kind]*refused
	counted int64
}

// kind is what refusals that count as the same have in common. Of unknown users only the address and the status count:
// everything else is theirs to vary.
type kind struct {
	user, address, route, dataset string
	status                        int
	code                          string
}

// refused are the refusals of a kind: the last, and how many there were.
type refused struct {
	last  Entry
	count int64
}

func newRefusals() *refusals { return &refusals{counts: map[kind]*refused{}} }

// admit counts a refusal, and reports whether it is to be an entry of its own.
func (r *refusals) admit(e Entry) bool {
	k := kind{address: e.Address, status: e.Status}
	if e.User != "" {
		k = kind{e.User, e.Address, e.Route, e.ID, e.Status, e.Code}
	}
	of := r.counts[k]
	if of == nil && len(r.counts) >= maxKept {
		k = kind{}
		of = r.counts[k]
	}
	if of == nil {
		of = &refused{}
		r.counts[k] = of
	}
	if r.began.IsZero() {
		r.began = e.Time
	}
	of.count++
	if of.last = e; k == (kind{}) { // of all kinds
		of.last = Entry{Kind: e.Kind, Time: e.Time, Detail: "of many kinds"}
	}
	if of.count > each {
		r.counted++
	}
	return of.count <= each
}

// due returns the entries for what was counted, once the minute is over, or at the end. A clock that went backwards
// ends the minute too.
func (r *refusals) due(now time.Time, end bool) (out []Entry) {
	if age := now.Sub(r.began); r.began.IsZero() || !end && age >= 0 && age < window {
		return nil
	}
	for _, of := range r.counts {
		if of.count > each {
			of.last.Repeated = of.count - each
			out = append(out, of.last)
		}
	}
	*r = refusals{counts: map[kind]*refused{}, counted: r.counted}
	return out
}
