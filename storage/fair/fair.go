// Package fair shares a few places among users, so that none of them can keep the others out.
//
// A place that becomes free goes to the users who wait in turn (round robin), whatever each has asked for. While others
// wait, a user gets no more than half of the places; and never the last one, so that whoever comes next finds a place
// even where all that runs is long. A statement whose client does not read its result keeps its place as long as
// nobody needs it, and is ended when someone does. Users without a name can't be distinguished and share what they
// have without a bound of their own. That nobody starves is a test that counts turns.
package fair

import (
	"context"
	"sync"
	"time"
)

// Patience is how long a request waits for a place. Stall is how long a client may read nothing while others wait.
const (
	Patience = 10 * time.Second
	Stall    = 5 * time.Second
)

// Queue has a number of places.
type Queue struct {
	Patience time.Duration
	Stall    time.Duration
	Most     int // of the places that one user may hold; users without a name may hold all

	mu      sync.Mutex
	places  int
	held    map[*Place]struct{}
	users   map[string]*user
	turns   []*user // users who wait, the next one first
	waiting int
	leaving int // places whose statements were ended, and are not free yet
	counts  Counts
}

// Counts are what has happened since the start.
type Counts struct {
	Taken   int64         // places that were given
	Refused int64         // requests that waited too long
	Stalled int64         // statements that were ended because their clients did not read
	Waited  time.Duration // the waits of all requests together
}

// State is the queue at one moment.
type State struct {
	Counts
	Places, Held, Waiting, Users int // Users: how many different ones wait
}

// user is one who holds places or waits.
type user struct {
	name    string
	held    int
	waiters []*waiter
}

// waiter is one request that waits. given has the place.
type waiter struct {
	place *Place
	given chan struct{}
}

// Place is held until Leave.
type Place struct {
	queue  *Queue
	user   *user
	stream *Stream // nil: no client reads while it is held
	ended  bool
	once   sync.Once
}

// New returns a queue with free places.
func New(places int) *Queue {
	return &Queue{
		Patience: Patience, Stall: Stall, Most: max(places-1, 1), places: places,
		held: map[*Place]struct{}{}, users: map[string]*user{},
	}
}

// Take waits for a place. It returns nil if that takes longer than Patience, and the cause if ctx ends.
func (q *Queue) Take(ctx context.Context) (*Place, error) {
	w := &waiter{place: &Place{queue: q, stream: streamOf(ctx)}, given: make(chan struct{})}
	start := time.Now()
	q.enter(User(ctx), w)
	err := q.await(ctx, w)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.counts.Waited += time.Since(start)
	if q.isGiven(w) && err == nil {
		return w.place, nil
	}
	q.giveUp(w)
	if err == nil {
		q.counts.Refused++
	}
	return nil, err
}

// await waits until a request has its place, its patience ends, or ctx. Statements that are stalled make room for it.
func (q *Queue) await(ctx context.Context, w *waiter) error {
	select {
	case <-w.given: // at once, mostly: without timers
		return nil
	default:
	}
	patience := time.NewTimer(q.Patience)
	defer patience.Stop()
	look := time.NewTicker(max(q.Stall/20, time.Millisecond))
	defer look.Stop()
	for {
		select {
		case <-w.given:
			return nil
		case <-look.C:
			q.endStalled()
		case <-patience.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// enter puts a request into the queue, and gives it a place if there is one for it.
func (q *Queue) enter(name string, w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.users[name]
	if u == nil {
		u = &user{name: name}
		q.users[name] = u
	}
	w.place.user = u
	if len(u.waiters) == 0 {
		q.turns = append(q.turns, u)
	}
	u.waiters = append(u.waiters, w)
	q.waiting++
	q.give()
}

// give gives free places to those who wait. The caller holds the lock.
func (q *Queue) give() {
	for len(q.held) < q.places {
		u := q.next()
		if u == nil {
			return
		}
		w := u.waiters[0]
		q.drop(u, 0)
		if len(u.waiters) > 0 { // its next turn comes after everyone else's
			q.turns = append(q.turns, u)
		}
		u.held++
		q.held[w.place] = struct{}{}
		q.counts.Taken++
		close(w.given)
	}
}

// next returns the user whose turn it is: the first who holds less than half of the places, or else the first who may
// have another one; nil: nobody.
func (q *Queue) next() *user {
	var other *user
	for _, u := range q.turns {
		if !q.may(u) {
			continue
		}
		if u.held < max(q.places/2, 1) {
			return u
		}
		if other == nil {
			other = u
		}
	}
	return other
}

// may reports whether a user may have one more place.
func (q *Queue) may(u *user) bool { return u.name == "" || u.held < q.Most }

// drop takes a request of a user out of the queue, and the user out of its turn: giving appends it again.
func (q *Queue) drop(u *user, at int) {
	u.waiters = append(u.waiters[:at:at], u.waiters[at+1:]...)
	q.waiting--
	for i, other := range q.turns {
		if other == u {
			q.turns = append(q.turns[:i:i], q.turns[i+1:]...)
			return
		}
	}
}

// isGiven reports whether a request has its place.
func (q *Queue) isGiven(w *waiter) bool {
	_, ok := q.held[w.place]
	return ok
}

// giveUp takes a request out of the queue, or gives back the place that it was given just now.
func (q *Queue) giveUp(w *waiter) {
	if q.isGiven(w) {
		w.place.leave()
		return
	}
	u := w.place.user
	for i, one := range u.waiters {
		if one == w {
			turn := q.turnOf(u)
			q.drop(u, i)
			if len(u.waiters) > 0 {
				q.turns = append(q.turns[:turn:turn], append([]*user{u}, q.turns[turn:]...)...)
			}
			break
		}
	}
	q.forget(u)
}

// turnOf returns a user's place among those who wait.
func (q *Queue) turnOf(u *user) int {
	for i, other := range q.turns {
		if other == u {
			return i
		}
	}
	return len(q.turns)
}

// forget removes a user who neither holds nor wants anything.
func (q *Queue) forget(u *user) {
	if u.held == 0 && len(u.waiters) == 0 {
		delete(q.users, u.name)
	}
}

// Leave frees the place. Only the first call counts.
func (p *Place) Leave() {
	p.queue.mu.Lock()
	defer p.queue.mu.Unlock()
	p.leave()
}

func (p *Place) leave() {
	p.once.Do(func() {
		q := p.queue
		delete(q.held, p)
		p.user.held--
		if p.ended {
			q.leaving--
		}
		q.give()
		q.forget(p.user)
	})
}

// State returns the queue as it is now.
func (q *Queue) State() State {
	q.mu.Lock()
	defer q.mu.Unlock()
	return State{Counts: q.counts, Places: q.places, Held: len(q.held), Waiting: q.waiting, Users: len(q.turns)}
}
