// Package rates limits how many requests a user may send, and an address from which requests come without a valid
// token. Each has a bucket of tokens that fills at the rate and holds ten seconds of it. Buckets are dropped, the one
// used longest ago first, when there are too many: memory is bounded whatever clients send.
package rates

import (
	"container/list"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/conns"
)

// window is how many seconds of the rate may be used at once.
const window = 10

// maxBuckets is how many are kept.
const maxBuckets = 10_000

// Limiter has the buckets.
type Limiter struct {
	perSecond int
	now       func() time.Time

	mu      sync.Mutex
	buckets map[string]*list.Element
	order   *list.List // of *bucket, the one used longest ago first
	refused int64
}

type bucket struct {
	key string
	*rate.Limiter
}

// New returns a limiter for a number of requests a second; nil, which limits nothing, for 0. now may be nil: time.Now.
func New(perSecond int, now func() time.Time) *Limiter {
	if perSecond <= 0 {
		return nil
	}
	if now == nil {
		now = time.Now
	}
	return &Limiter{perSecond: perSecond, now: now, buckets: map[string]*list.Element{}, order: list.New()}
}

// Decision is what a limiter says of a request.
type Decision struct {
	Allowed   bool
	Quota     int           // requests of an empty bucket's window
	Remaining int           // requests that may follow at once
	Reset     time.Duration // until the bucket is full again
	Retry     time.Duration // of a refusal: until the next request is allowed
}

// Policy and State are the values of the headers RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers).
func (d Decision) Policy() string { return fmt.Sprintf(`"requests";q=%d;w=%d`, d.Quota, window) }

// State is the value of the header RateLimit.
func (d Decision) State() string {
	return fmt.Sprintf(`"requests";r=%d;t=%d`, d.Remaining, int(math.Ceil(d.Reset.Seconds())))
}

// Seconds is Retry in whole seconds, at least one.
func (d Decision) Seconds() int { return max(int(math.Ceil(d.Retry.Seconds())), 1) }

// Key returns what a caller's requests are counted by: the user, or the address of someone unknown. Where names are not
// verified, since everyone is let in, it is the address too.
func Key(c access.Caller, isOpen bool) string {
	if c.IsKnown() && !isOpen {
		return "user " + c.User
	}
	return "address " + AddressOf(c.Address)
}

// AddressOf returns an address as it is counted: IPv6 by network.
func AddressOf(a netip.Addr) string { return conns.Network(a).String() }

// Take uses up a token of a bucket, if there is one.
func (l *Limiter) Take(key string) Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, of := l.now(), l.bucket(key)
	d := Decision{Allowed: of.AllowN(now, 1), Quota: l.perSecond * window}
	left := of.TokensAt(now)
	d.Remaining = max(int(left), 0)
	d.Reset = l.after(float64(d.Quota) - left)
	if !d.Allowed {
		d.Retry = l.after(1 - left)
		l.refused++
	}
	return d
}

// after returns how long it takes until there are that many more tokens.
func (l *Limiter) after(tokens float64) time.Duration {
	return time.Duration(max(tokens, 0) / float64(l.perSecond) * float64(time.Second))
}

// bucket returns the bucket of a key, a full one if it is new.
func (l *Limiter) bucket(key string) *bucket {
	if e := l.buckets[key]; e != nil {
		l.order.MoveToBack(e)
		return e.Value.(*bucket)
	}
	if l.order.Len() >= maxBuckets {
		delete(l.buckets, l.order.Remove(l.order.Front()).(*bucket).key)
	}
	b := &bucket{key, rate.NewLimiter(rate.Limit(l.perSecond), l.perSecond*window)}
	l.buckets[key] = l.order.PushBack(b)
	return b
}

// Refused returns how many requests were refused since the start.
func (l *Limiter) Refused() int64 {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused
}
