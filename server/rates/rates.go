// Package rates limits how many requests a user may send, over all tokens and with each one, and an address from which
// requests come without a valid token. Each has a bucket that fills at its rate and holds ten seconds of it. Of each
// kind of bucket there are so many at most, and the one used longest ago is dropped first: memory is bounded whatever
// clients send, and addresses and tokens do not displace users. Servers that share settings share the buckets, too
// (together.go).
package rates

import (
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/conns"
)

// window is how many seconds of the rate may be used at once.
const window = 10

// Limits are how many requests a second are allowed; 0: any number.
type Limits struct {
	PerSecond int // of a user over all tokens, and of an address
	PerToken  int // of one token; needs PerSecond, since a user could make more tokens otherwise
}

// Limiter has the buckets.
type Limiter struct {
	now func() time.Time

	mu                       sync.Mutex
	users, addresses, tokens *table // tokens: nil without a limit of their own
	refused                  int64

	together *together // nil: this server counts alone
}

// New returns a limiter; nil, which limits nothing, without a limit. now may be nil: time.Now.
func New(limits Limits, now func() time.Time) *Limiter {
	if limits.PerSecond <= 0 {
		return nil
	}
	if now == nil {
		now = time.Now
	}
	l := &Limiter{
		now:       now,
		users:     newTable("user", "requests", "--rate-limit", limits.PerSecond),
		addresses: newTable("address", "requests", "--rate-limit", limits.PerSecond),
	}
	if limits.PerToken > 0 {
		l.tokens = newTable("token", "token", "--token-rate-limit", limits.PerToken)
	}
	return l
}

// Decision is what a limiter says of a request.
type Decision struct {
	Allowed   bool
	Name      string        // of the policy that decides, in headers
	Option    string        // of the server, that sets it
	Quota     int           // requests of a full bucket
	Remaining int           // requests that may follow at once
	Reset     time.Duration // until the bucket is full again
	Retry     time.Duration // of a refusal: until the next request is allowed
}

// Policy and State are the values of the headers RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers).
func (d Decision) Policy() string { return fmt.Sprintf(`"%s";q=%d;w=%d`, d.Name, d.Quota, window) }

// State is the value of the header RateLimit.
func (d Decision) State() string {
	return fmt.Sprintf(`"%s";r=%d;t=%d`, d.Name, d.Remaining, int(math.Ceil(d.Reset.Seconds())))
}

// Seconds is Retry in whole seconds, at least one.
func (d Decision) Seconds() int { return access.WaitSeconds(d.Retry) }

// isStricterThan reports whether a decision leaves less than another: fewer requests, or none for longer.
func (d Decision) isStricterThan(other Decision) bool {
	if d.Remaining != other.Remaining {
		return d.Remaining < other.Remaining
	}
	return d.Retry > other.Retry
}

// Take counts a request, if it is within every limit that is on its caller. The strictest one decides. A request that
// is refused is not counted: one token that is used too much leaves the user's others what they have. Where names are
// not verified, since everyone is let in, requests count for their address.
func (l *Limiter) Take(from access.Caller, isOpen bool) Decision {
	for {
		d, due := l.take(from, isOpen)
		if !due {
			return d
		}
		l.together.exchangeNow() // each time, some requests of those that wait go on
	}
}

// take is Take, unless other servers have to be asked first: then it is due, and nothing is counted.
func (l *Limiter) take(from access.Caller, isOpen bool) (strictest Decision, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, part := l.now(), l.together.part()
	of := l.bucketsOf(from, isOpen, now)
	allowed := true
	for _, b := range of {
		b.fill(now, part)
		allowed = allowed && b.tokens >= 1
	}
	if allowed && l.together.isDue(of) {
		return strictest, true
	}
	for i, b := range of {
		if allowed {
			b.tokens--
			b.used++
		}
		if d := b.decision(allowed, part); i == 0 || d.isStricterThan(strictest) {
			strictest = d
		}
	}
	if !allowed {
		l.refused++
	}
	return strictest, false
}

// bucketsOf returns the buckets that a caller's requests are counted in.
func (l *Limiter) bucketsOf(c access.Caller, isOpen bool, now time.Time) []*bucket {
	if !c.IsKnown() || isOpen {
		return []*bucket{l.addresses.bucket(AddressOf(c.Address), now)}
	}
	of := []*bucket{l.users.bucket(c.User, now)}
	if l.tokens != nil && c.Counted != "" {
		of = append(of, l.tokens.bucket(c.Counted, now))
	}
	return of
}

// AddressOf returns an address as it is counted: IPv6 by network.
func AddressOf(a netip.Addr) string { return conns.Network(a).String() }

// Refused returns how many requests were refused since the start.
func (l *Limiter) Refused() int64 {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused
}
