package rates

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/server/settings/settingstest"
)

// bank has counts in memory, as a database has them.
type bank struct {
	*clock
	mu     sync.Mutex
	whole  map[string]time.Time
	asked  int
	isAway bool
}

var errAway = errors.New("away")

func (b *bank) Add(_ context.Context, uses []Use) (map[string]time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.isAway {
		return nil, errAway
	}
	full := map[string]time.Duration{}
	for _, u := range uses {
		if b.whole[u.Key].Before(b.Time) {
			b.whole[u.Key] = b.Time
		}
		b.whole[u.Key] = b.whole[u.Key].Add(u.Takes)
		full[u.Key] = b.whole[u.Key].Sub(b.Time)
	}
	return full, nil
}

func (b *bank) Forget(context.Context) error { return nil }

// three are servers that count together, at a time that the test moves. tick moves it, and has them tell each other.
func three(t *testing.T, limits Limits) (servers []*Limiter, b *bank, tick func(time.Duration)) {
	t.Helper()
	b = &bank{clock: &clock{time.Unix(1_000_000, 0)}, whole: map[string]time.Time{}}
	for range 3 {
		l := New(limits, b.now)
		l.Share(b, func(context.Context) (int, error) { return 3, nil }, slog.New(slog.DiscardHandler))
		l.together.lookAround(t.Context())
		servers = append(servers, l)
	}
	return servers, b, func(by time.Duration) {
		b.Time = b.Time.Add(by)
		for _, l := range servers {
			l.together.exchange(t.Context())
		}
	}
}

// Three servers let through what one would, but for the part of a second's that each may before it has told the others.
func TestServersShareALimit(t *testing.T) {
	servers, b, tick := three(t, Limits{PerSecond: 50, PerToken: 20})
	const slack = 18 // of the token's 20 a second, a third for each server
	allowed, refused := 0, 0
	for second := range 30 {
		for n := range 300 {
			if servers[n%3].Take(with("ada", "1"), false).Allowed {
				allowed++
			} else {
				refused++
			}
		}
		if most := 200 + second*20 + slack; allowed > most || allowed < most-slack {
			t.Fatalf("after %d seconds, %d requests were allowed: one server allows %d", second, allowed, most-slack)
		}
		tick(time.Second)
	}
	if each := b.asked / 30; each > 60 {
		t.Errorf("%d requests a second, and the database was asked %d times a second", 300, each)
	}
	for _, l := range servers {
		if d := l.Take(with("ada", "2"), false); !d.Allowed || d.Name != "token" && d.Name != "requests" {
			t.Errorf("another token of ada's: %+v", d)
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

// Whoever stays within the limit is never refused, whichever servers they come to, and costs an exchange
// a second on each, and another for each third of a second's requests.
func TestServersLetThroughWhatIsWithinTheLimit(t *testing.T) {
	servers, b, tick := three(t, Limits{PerSecond: 10})
	dice := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a seed, for requests that are the same each time
	for range 600 {
		for range 9 {
			if d := servers[dice.IntN(3)].Take(with("ada", "1"), false); !d.Allowed {
				t.Fatalf("at 9 of 10 requests a second: %+v", d)
			}
		}
		tick(time.Second)
	}
	if b.asked > 600*(3+3) {
		t.Errorf("the database was asked %d times in 600 s", b.asked)
	}
	for range 100 { // nor who sends all at once to one
		if d := servers[0].Take(with("ben", "2"), false); !d.Allowed {
			t.Fatalf("of 100 that a full bucket has: %+v", d)
		}
	}
	tick(0)
	more := 0
	for n := range 300 {
		if servers[n%3].Take(with("ben", "2"), false).Allowed {
			more++
		}
	}
	if more > 9 { // as many as each may before it has told the others
		t.Errorf("other servers let ben through %d times more", more)
	}
}

// While the counts can't be reached each server lets through its part; what it let through counts once they can be.
func TestServersThatCantTellEachOther(t *testing.T) {
	servers, b, tick := three(t, Limits{PerSecond: 30})
	b.isAway = true
	count := func() (allowed int) {
		for _, l := range servers {
			for range 1000 {
				if l.Take(with("ada", "1"), false).Allowed {
					allowed++
				}
			}
		}
		return allowed
	}
	first := count()
	if first > 330 || first < 300 {
		t.Errorf("%d requests were allowed, and a bucket has 300", first)
	}
	asked := b.asked
	for range 5 {
		tick(time.Second)
		if more := count(); more < 27 || more > 30 {
			t.Errorf("%d requests were allowed in a second at 30 a second", more)
		}
	}
	if b.asked > asked+5*3 {
		t.Errorf("the database, which is away, was asked %d times in 5 s by three servers", b.asked-asked)
	}
	b.isAway = false
	tick(0)
	if more := count(); more > 30 { // what each may before it has told the others
		t.Errorf("%d requests were allowed beyond the limit once the database was back", more)
	}
	tick(20 * time.Second)
	if more := count(); more < 290 {
		t.Errorf("%d requests were allowed after a pause", more)
	}
}

// Many requests that come at once wait for the same exchanges.
func TestRequestsAtOnceShareALimit(t *testing.T) {
	servers, b, _ := three(t, Limits{PerSecond: 10})
	var mu sync.Mutex
	var all sync.WaitGroup
	allowed := 0
	for n := range 600 {
		all.Go(func() {
			if servers[n%3].Take(with("ada", "1"), false).Allowed {
				mu.Lock()
				allowed++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if allowed < 100 || allowed > 109 {
		t.Errorf("%d requests of 600 at once were allowed, of a bucket of 100, with %d exchanges", allowed, b.asked)
	}
}

func TestOnPostgreSQL(t *testing.T) {
	settingstest.OnPostgreSQL(t, map[string]func(*testing.T){"counts": countsInSettings})
}

func countsInSettings(t *testing.T) {
	dir := t.TempDir()
	var at []*Settings
	for range 2 {
		set, err := settingstest.Open(t.Context(), t, dir)
		if err != nil {
			t.Fatal(err)
		}
		counts := InSettings(set)
		t.Cleanup(func() {
			if err := errors.Join(counts.Close(), set.Close()); err != nil {
				t.Error(err)
			}
		})
		at = append(at, counts)
	}
	add := func(of *Settings, takes time.Duration, keys ...string) map[string]time.Duration {
		t.Helper()
		var uses []Use
		for _, k := range keys {
			uses = append(uses, Use{k, takes})
		}
		full, err := of.Add(t.Context(), uses)
		if err != nil || len(full) != len(keys) {
			t.Fatal(full, err)
		}
		return full
	}
	add(at[0], time.Hour, "user a") // bounded by most from the second time on
	add(at[0], 20*time.Second, "user b")
	full := add(at[1], 5*time.Second, "user b", "user a", "token c")
	if full["user a"] > most || full["user a"] < most-time.Second {
		t.Errorf("an hour's use is made up for in %s", full["user a"])
	}
	if full["user b"] > 25*time.Second || full["user b"] < 15*time.Second || full["token c"] > 5*time.Second {
		t.Error(full)
	}
	var all sync.WaitGroup // in any order, beside each other
	for n := range 40 {
		all.Go(func() {
			keys := []string{"x", "y", "z"}
			if n%2 == 0 {
				keys = []string{"z", "y", "x"}
			}
			uses := []Use{{keys[0], time.Second / 4}, {keys[1], 0}, {keys[2], 0}}
			if _, err := at[n%2].Add(t.Context(), uses); err != nil {
				t.Error(err)
			}
			if err := at[n%2].Forget(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if full := add(at[0], 0, "x"); full["x"] < 3*time.Second || full["x"] > 5*time.Second {
		t.Errorf("20 quarters of a second: %s", full["x"])
	}
	if set, err := settings.Open(t.Context(), dir); err != nil || InSettings(set) != nil || set.Close() != nil {
		t.Error("settings in a file are counted in", err)
	}
}
