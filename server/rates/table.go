package rates

import (
	"container/list"
	"time"
)

// maxBuckets is how many a table keeps.
const maxBuckets = 10_000

// table has the buckets of one kind: of users, of addresses, or of tokens.
type table struct {
	kind         string // as other servers know it
	name, option string // of the policy
	perSecond    int
	buckets      map[string]*list.Element
	order        *list.List // of *bucket, the one used longest ago first
}

// bucket has the requests that may be made at once. It is full when it is new, and fills at the rate.
type bucket struct {
	of     *table
	key    string
	tokens float64
	at     time.Time // when it had that many

	used int // requests that other servers have not been told of
}

// newTable returns an empty table.
func newTable(kind, name, option string, perSecond int) *table {
	return &table{
		kind: kind, name: name, option: option, perSecond: perSecond, buckets: map[string]*list.Element{}, order: list.New(),
	}
}

// quota is how many requests a full bucket has.
func (t *table) quota() float64 { return float64(t.perSecond * window) }

// bucket returns the bucket of a key, a full one if it is new.
func (t *table) bucket(key string, now time.Time) *bucket {
	if e := t.buckets[key]; e != nil {
		t.order.MoveToBack(e)
		return e.Value.(*bucket)
	}
	if t.order.Len() >= maxBuckets {
		delete(t.buckets, t.order.Remove(t.order.Front()).(*bucket).key)
	}
	b := &bucket{of: t, key: key, tokens: t.quota(), at: now}
	t.buckets[key] = t.order.PushBack(b)
	return b
}

// fill adds what has come in since the last time: of the rate, the part that is this server's, and no more than that
// part of a full bucket. A clock that is put back adds nothing.
func (b *bucket) fill(now time.Time, part float64) {
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens += passed.Seconds() * float64(b.of.perSecond) * part
		b.at = now
	}
	b.tokens = min(b.tokens, max(b.of.quota()*part, 1))
}

// decision returns what a bucket says of a request that was counted, or refused.
func (b *bucket) decision(allowed bool, part float64) Decision {
	d := Decision{
		Allowed: allowed, Name: b.of.name, Option: b.of.option, Quota: int(b.of.quota()), Remaining: max(int(b.tokens), 0),
	}
	d.Reset = b.of.after(b.of.quota()-b.tokens, 1)
	if !allowed {
		d.Retry = b.of.after(1-b.tokens, part)
	}
	return d
}

// after returns how long it takes until there are that many more tokens, of a part of the rate.
func (t *table) after(tokens, part float64) time.Duration {
	return time.Duration(max(tokens, 0) / (float64(t.perSecond) * part) * float64(time.Second))
}
