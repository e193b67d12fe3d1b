package rates

import (
	"context"
	"encoding/hex"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rowback/rowback/server/access"
)

// Servers that share a limit tell each other once a second what they have let through, in one exchange for all buckets
// in use. In between, each lets through its part of what a bucket gets in a second, and the next request waits for an
// exchange. So all together may let through a second's requests more than one server would. The bucket owes them then,
// so that the rate holds.

// exchangeEvery is how often servers tell each other, and forgetEvery how often full buckets are forgotten and servers
// are counted.
const (
	exchangeEvery = time.Second
	forgetEvery   = 10 * time.Second
)

// patience is how long an exchange may take, as requests wait for it.
const patience = 500 * time.Millisecond

// Use is what was used of a bucket.
type Use struct {
	Key   string        // of the bucket, the same on all servers
	Takes time.Duration // until that has come in again
}

// Counts are the buckets of all servers.
type Counts interface {
	// Add adds what was used, and returns how long it takes until each of these buckets is full again.
	Add(ctx context.Context, uses []Use) (full map[string]time.Duration, err error)
	// Forget forgets the buckets that are full.
	Forget(ctx context.Context) error
}

// together is what a limiter has where other servers count as well.
type together struct {
	of      *Limiter
	counts  Counts
	servers func(context.Context) (int, error)
	log     *slog.Logger

	running   sync.Mutex    // held by an exchange
	exchanges atomic.Uint64 // that have ended

	// Guarded by the limiter's lock.
	touched map[*bucket]bool // buckets of which others have not been told all
	among   int              // how many servers there are
	isAway  bool             // the counts can't be reached: this server lets through its part of each limit
}

// Share has the limits hold for all servers that share the counts. servers returns how many there are.
// While the counts can't be reached, each server lets through its part of a limit. It is called once, before requests
// come.
func (l *Limiter) Share(counts Counts, servers func(context.Context) (int, error), log *slog.Logger) {
	if l == nil {
		return
	}
	l.together = &together{
		of: l, counts: counts, servers: servers, log: log, touched: map[*bucket]bool{}, among: 1,
	}
}

// Keep exchanges what is counted with other servers until ctx ends.
func (l *Limiter) Keep(ctx context.Context) {
	if l == nil || l.together == nil {
		return
	}
	exchange, forget := time.NewTicker(exchangeEvery), time.NewTicker(forgetEvery)
	defer exchange.Stop()
	defer forget.Stop()
	l.together.lookAround(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-exchange.C:
			l.together.exchange(ctx)
		case <-forget.C:
			l.together.lookAround(ctx)
		}
	}
}

// lookAround counts the servers, and has full buckets forgotten. What fails is done the next time.
func (t *together) lookAround(ctx context.Context) {
	ctx, done := context.WithTimeout(ctx, forgetEvery)
	defer done()
	if n, err := t.servers(ctx); err == nil {
		t.of.mu.Lock()
		t.among = max(n, 1)
		t.of.mu.Unlock()
	}
	_ = t.counts.Forget(ctx)
}

// part is what this server lets through of a limit by itself. The caller holds the limiter's lock, as for all below
// that have no context.
func (t *together) part() float64 {
	if t == nil || !t.isAway {
		return 1
	}
	return 1 / float64(t.among)
}

// isDue reports whether others have to be told before one more request is let through. It notes what is used.
func (t *together) isDue(of []*bucket) bool {
	if t == nil {
		return false
	}
	for _, b := range of {
		if b.used >= t.grant(b) && !t.isAway {
			return true
		}
	}
	for _, b := range of {
		t.touched[b] = true
	}
	return false
}

// grant is how many requests this server lets through before it tells others.
func (t *together) grant(b *bucket) int {
	return max(b.of.perSecond/t.among, 1)
}

// exchangeNow exchanges what is counted, unless another request has meanwhile.
func (t *together) exchangeNow() {
	before := t.exchanges.Load()
	t.running.Lock()
	defer t.running.Unlock()
	if t.exchanges.Load() == before {
		t.exchangeAlone(context.Background())
	}
}

// exchange exchanges what is counted.
func (t *together) exchange(ctx context.Context) {
	t.running.Lock()
	defer t.running.Unlock()
	t.exchangeAlone(ctx)
}

// exchangeAlone exchanges what is counted. The caller holds running.
func (t *together) exchangeAlone(ctx context.Context) {
	told := t.take()
	if len(told) == 0 {
		return
	}
	uses := make([]Use, 0, len(told))
	for b, n := range told {
		uses = append(uses, Use{b.name(), b.of.after(float64(n), 1)})
	}
	timed, done := context.WithTimeout(ctx, patience)
	defer done()
	full, err := t.counts.Add(timed, uses)
	t.exchanges.Add(1)
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if wasAway := t.isAway; wasAway != (err != nil) && ctx.Err() == nil {
		t.turn(err)
	}
	if now := t.of.now(); err == nil {
		t.learn(told, full, now)
	} else {
		t.giveBack(told, now)
	}
}

// turn goes on alone after an error, or together with others again.
func (t *together) turn(err error) {
	if t.isAway = err != nil; t.isAway {
		t.log.Warn("requests can't be counted together with other servers: this one lets through its part of each limit",
			"servers", t.among, "error", err)
		return
	}
	t.log.Info("requests are counted together with other servers again")
}

// take returns what others are to be told, as if they had been.
func (t *together) take() map[*bucket]int {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	told := make(map[*bucket]int, len(t.touched))
	for b := range t.touched {
		told[b], b.used = b.used, 0
	}
	clear(t.touched)
	return told
}

// learn makes the buckets what they are on all servers together.
func (t *together) learn(told map[*bucket]int, full map[string]time.Duration, now time.Time) {
	for b := range told {
		b.tokens = b.of.quota() - full[b.name()].Seconds()*float64(b.of.perSecond) - float64(b.used)
		b.at = now
	}
}

// giveBack notes that others were not told after all.
func (t *together) giveBack(told map[*bucket]int, now time.Time) {
	for b, n := range told {
		b.used += n
		b.fill(now, t.part())
		t.touched[b] = true
	}
}

// name is a bucket's, the same on all servers. It does not say whose it is.
func (b *bucket) name() string {
	sum := access.HashOf(b.key)
	return b.of.kind + " " + hex.EncodeToString(sum[:16])
}
