package models

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/rowback/rowback/storage"
)

// mayErase erases the records of one or two keys now and then, in the store and in the model: by their keys, or by a
// condition on them. They are in no state of any member any more, and in nothing that a commit did.
func (f *family) mayErase(random *rand.Rand) {
	if random.IntN(10) > 0 {
		return
	}
	f.Helper()
	live := f.live()
	d := live[random.IntN(len(live))]
	keys := []int64{1 + random.Int64N(12)}
	if random.IntN(2) == 0 {
		keys = append(keys, 1+random.Int64N(12))
	}
	had := f.had(keys)
	var e storage.Erasure
	for _, k := range keys {
		e.Keys = append(e.Keys, json.RawMessage(fmt.Sprint(k)))
	}
	if random.IntN(3) == 0 {
		e = storage.Erasure{Where: f.keyName() + " IN (" + fmt.Sprint(keys[0], ", ", keys[len(keys)-1]) + ")"}
	}
	out, err := f.Removals.Erase(context.Background(), d.id, e, storage.Request{})
	f.must(err)
	// What vacuum has removed is there no more, whatever the model has.
	if f.tell("erased %v: %+v", keys, out); had != (out.ID > 0) && (len(f.gone) == 0 || !had) {
		f.Fatalf("erasing %v removed %+v; the model had some: %v", keys, out, had)
	}
	for _, m := range f.members {
		for _, c := range m.log {
			c.forget(keys)
		}
	}
	if random.IntN(4) == 0 {
		f.doReopen()
	}
	for _, m := range f.live() {
		f.checkMember(m)
		for _, c := range m.log {
			f.checkState(m, c)
			f.checkCounts(m, c)
		}
	}
	f.Sound()
}

// had reports whether a state of any member has one of the keys, or a commit wrote or removed one.
func (f *family) had(keys []int64) (had bool) {
	for _, m := range f.members {
		for _, c := range m.log {
			for _, k := range keys {
				had = had || c.state[k] != nil || c.added[k] != nil || c.displaced[k] != nil
			}
		}
	}
	return had
}

// forget removes keys from all that a commit did and left.
func (c *deed) forget(keys []int64) {
	for _, k := range keys {
		for _, m := range []map[int64]*row{c.added, c.displaced, c.state, c.previous} {
			delete(m, k)
		}
	}
	c.files = c.files && len(c.added)+len(c.displaced) > 0
}
