package access

import (
	"log/slog"
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
	return "too many logins have failed: wait " + WaitText(e.Wait)
}

// Seconds is the wait in whole seconds, at least one.
func (e *TooManyError) Seconds() int { return WaitSeconds(e.Wait) }

// Failures counts failed logins for several servers together, by the address or the name.
type Failures interface {
	// Waits returns how long it takes until all attempts of each key are available again. One that is left out has all.
	Waits(keys ...string) (map[string]time.Duration, error)
	// Failed uses up an attempt of each key, which comes back after a pause.
	Failed(pause time.Duration, keys ...string) error
}

// throttle counts failed logins. Successful ones do not count, and write nothing.
type throttle struct {
	now       func() time.Time
	together  Failures // nil: there are no other servers
	log       *slog.Logger
	mu        sync.Mutex
	ended     sync.Cond                // a check has ended
	addresses map[netip.Addr]time.Time // when all attempts are available again
	names     map[string]time.Time
	checked   map[any]int // logins that are being checked, by address and by name
}

// newThrottle returns one that has seen no failure. now tells the time.
func newThrottle(now func() time.Time, together Failures, log *slog.Logger) *throttle {
	t := &throttle{
		now: now, together: together, log: log, addresses: map[netip.Addr]time.Time{}, names: map[string]time.Time{}, checked: map[any]int{},
	}
	t.ended.L = &t.mu
	return t
}

// try runs check, which reports whether a login is right, if the address and the name have attempts left. Checks ask a
// database: they run beside each other, but for one address or name no more of them than it has attempts left, so that
// many at once are no more guesses.
func (t *throttle) try(from netip.Addr, name string, check func() bool) error {
	from, name = conns.Network(from), nameKey(name)
	t.learn(from, name)
	if wait := t.begin(from, name); wait > 0 {
		return &TooManyError{wait}
	}
	right := false
	defer func() { t.end(from, name, right) }() // also if check panics
	if right = check(); right {
		return nil
	}
	t.tell(from, name)
	return ErrWrong
}

// keysOf are an address and a name as servers count them together.
func keysOf(from netip.Addr, name string) []string {
	keys := []string{"address " + from.String()}
	if name != "" {
		keys = append(keys, "name "+name)
	}
	return keys
}

// learn takes over what has failed on other servers. If that can't be read, what has failed here counts.
func (t *throttle) learn(from netip.Addr, name string) {
	if t.together == nil {
		return
	}
	keys := keysOf(from, name)
	waits, err := t.together.Waits(keys...)
	if err != nil {
		t.log.Warn("which logins failed on other servers can't be read: those that failed here count", "error", err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	raise(t.addresses, from, now, waits[keys[0]])
	if name != "" {
		raise(t.names, name, now, waits[keys[1]])
	}
}

// raise notes that all attempts are available again no sooner than after a wait.
func raise[K comparable](table map[K]time.Time, who K, now time.Time, wait time.Duration) {
	whole, known := table[who]
	if wait <= 0 || !now.Add(wait).After(whole) {
		return
	}
	if !known && len(table) >= maxKnown {
		forget(table, now)
	}
	table[who] = now.Add(wait)
}

// tell tells other servers of a login that failed.
func (t *throttle) tell(from netip.Addr, name string) {
	if t.together == nil {
		return
	}
	if err := t.together.Failed(pause, keysOf(from, name)...); err != nil {
		t.log.Warn("that a login failed could not be recorded for other servers", "error", err)
	}
}

// begin waits until a login can be checked, or returns how long it takes until there is an attempt for it.
func (t *throttle) begin(from netip.Addr, name string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		now := t.now()
		wait := max(waitFor(t.addresses[from], now), waitFor(t.names[name], now))
		if wait > 0 {
			return wait
		}
		if t.checked[from] < left(t.addresses[from], now) && (name == "" || t.checked[name] < left(t.names[name], now)) {
			t.checked[from]++
			t.checked[name]++
			return 0
		}
		t.ended.Wait()
	}
}

// end records what came of a check.
func (t *throttle) end(from netip.Addr, name string, right bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.ended.Broadcast()
	for _, who := range []any{from, name} {
		if t.checked[who]--; t.checked[who] == 0 {
			delete(t.checked, who)
		}
	}
	if right {
		return
	}
	now := t.now()
	fail(t.addresses, from, now)
	if name != "" { // otherwise all who leave it out would count as one
		fail(t.names, name, now)
	}
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

// left returns how many attempts there are.
func left(whole, now time.Time) int {
	used := max(whole.Sub(now), 0)
	return tries - int((used+pause-1)/pause)
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
