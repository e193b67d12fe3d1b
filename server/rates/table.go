package rates

import (
	"container/list"
	"time"

	"golang.org/x/time/rate"
)

// maxBuckets is how many a table keeps.
const maxBuckets = 10_000

// table has the buckets of one kind: of users, of addresses, or of tokens.
type table struct {
	name, option string // of the policy
	perSecond    int
	buckets      map[string]*list.Element
	order        *list.List // of *bucket, the one used longest ago first
}

type bucket struct {
	of  *table
	key string
	*rate.Limiter
}

// newTable returns an empty table.
func newTable(name, option string, perSecond int) *table {
	return &table{
		name: name, option: option, perSecond: perSecond, buckets: map[string]*list.Element{}, order: list.New(),
	}
}

// bucket returns the bucket of a key, a full one if it is new.
func (t *table) bucket(key string) *bucket {
	if e := t.buckets[key]; e != nil {
		t.order.MoveToBack(e)
		return e.Value.(*bucket)
	}
	if t.order.Len() >= maxBuckets {
		delete(t.buckets, t.order.Remove(t.order.Front()).(*bucket).key)
	}
	b := &bucket{t, key, rate.NewLimiter(rate.Limit(t.perSecond), t.perSecond*window)}
	t.buckets[key] = t.order.PushBack(b)
	return b
}

// decision returns what a bucket says of a request that was counted, or refused.
func (b *bucket) decision(now time.Time, allowed bool) Decision {
	left := b.TokensAt(now)
	d := Decision{
		Allowed: allowed, Name: b.of.name, Option: b.of.option, Quota: b.of.perSecond * window,
		Remaining: max(int(left), 0),
	}
	d.Reset = b.of.after(float64(d.Quota) - left)
	if !allowed {
		d.Retry = b.of.after(1 - left)
	}
	return d
}

// after returns how long it takes until there are that many more tokens.
func (t *table) after(tokens float64) time.Duration {
	return time.Duration(max(tokens, 0) / float64(t.perSecond) * float64(time.Second))
}
