package access

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/rowback/rowback/server/conns"
)

// How many logins may fail for one address and for one name; after each pause, one more may.
const (
	tries    = 10
	pause    = 6 * time.Second
	maxKnown = 10_000 // addresses and names that are remembered, each
)

// TooManyError refuses a login, right or wrong, because too many have failed.
type TooManyError struct{ Wait time.Duration }

// Error is for logs; faces have sentences of their own.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("too many logins have failed: wait %d s", e.Seconds())
}

// Seconds is the wait in whole seconds, at least one.
func (e *TooManyError) Seconds() int { return max(int((e.Wait+time.Second-1)/time.Second), 1) }

// throttle counts failed logins. Successful ones do not count.
type throttle struct {
	now       func() time.Time
	mu        sync.Mutex
	addresses map[netip.Addr]time.Time // when all attempts are available again
	names     map[string]time.Time
}

// newThrottle returns one that has seen no failure. now tells the time.
func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, addresses: map[netip.Addr]time.Time{}, names: map[string]time.Time{}}
}

// try runs check, which reports whether a login is right, if the address and the name have attempts left.
func (t *throttle) try(from netip.Addr, name string, check func() bool) error {
	from, name = conns.Network(from), nameKey(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if wait := max(waitFor(t.addresses[from], now), waitFor(t.names[name], now)); wait > 0 {
		return &TooManyError{wait}
	}
	if check() {
		return nil
	}
	fail(t.addresses, from, now)
	if name != "" { // otherwise all who leave it out would count as one
		fail(t.names, name, now)
	}
	return ErrWrong
}

// wait returns how long an address has to wait. Addresses count by network, as clients can change the rest.
func (t *throttle) wait(from netip.Addr) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return waitFor(t.addresses[conns.Network(from)], t.now())
}

// nameKey returns the key of a name, which is no longer than a user's name may be.
func nameKey(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	return name[:min(len(name), 255)]
}

// waitFor returns how long it takes until an attempt is available, if none is left.
func waitFor(whole, now time.Time) time.Duration {
	if whole.Before(now) {
		return 0
	}
	return max(whole.Sub(now)-(tries-1)*pause, 0)
}

// fail uses up an attempt. If there are too many entries, the one closest to having all attempts back is dropped.
func fail[K comparable](table map[K]time.Time, who K, now time.Time) {
	if _, known := table[who]; !known && len(table) >= maxKnown {
		forget(table, now)
	}
	whole := table[who]
	if whole.Before(now) {
		whole = now
	}
	table[who] = whole.Add(pause)
}

func forget[K comparable](table map[K]time.Time, now time.Time) {
	var first K
	var when time.Time
	for who, whole := range table {
		if !whole.After(now) {
			delete(table, who)
			continue
		}
		if when.IsZero() || whole.Before(when) {
			first, when = who, whole
		}
	}
	if len(table) >= maxKnown {
		delete(table, first)
	}
}
