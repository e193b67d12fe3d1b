package fair_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/fair"
	"github.com/rowback/rowback/storage/fault"
)

// as is the context of a user's work.
func as(user string) context.Context { return fair.With(context.Background(), user) }

func take(t *testing.T, q *fair.Queue, ctx context.Context) *fair.Place {
	t.Helper()
	p, err := q.Take(ctx)
	if err != nil || p == nil {
		t.Fatalf("no place: %v", err)
	}
	return p
}

// queued starts a request, and returns once it waits. The channel has its place.
func queued(q *fair.Queue, ctx context.Context) <-chan *fair.Place {
	got := make(chan *fair.Place, 1)
	before := q.State().Waiting
	go func() {
		p, _ := q.Take(ctx)
		got <- p
	}()
	for q.State().Waiting == before {
		time.Sleep(time.Millisecond)
	}
	return got
}

func TestUsersHaveTheirTurnsWhateverEachAskedFor(t *testing.T) {
	q := fair.New(1)
	first := take(t, q, as("a"))
	var mu sync.Mutex
	var order []string
	var work sync.WaitGroup
	ask := func(user string) {
		got := queued(q, as(user))
		work.Go(func() {
			p := <-got
			mu.Lock()
			order = append(order, user)
			mu.Unlock()
			p.Leave()
		})
	}
	for range 5 {
		ask("a")
	}
	for _, user := range []string{"b", "c", "b"} {
		ask(user)
	}
	first.Leave()
	work.Wait()
	if got := fmt.Sprint(order); got != "[a b c a b a a a]" {
		t.Error(got)
	}
}

func TestAUserNeverHasTheLastPlace(t *testing.T) {
	q := fair.New(4)
	q.Patience = time.Millisecond
	for range 3 {
		take(t, q, as("a"))
	}
	if p, err := q.Take(as("a")); p != nil || err != nil {
		t.Errorf("a fourth place: %v, %v", p, err)
	}
	take(t, q, as("b"))
	if s := q.State(); s.Held != 4 || s.Refused != 1 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

func TestWhileOthersWaitAUserGetsHalf(t *testing.T) {
	q := fair.New(4)
	var mine []*fair.Place
	for range 2 {
		mine = append(mine, take(t, q, as("a")))
	}
	b, c := take(t, q, as("b")), take(t, q, as("c"))
	more := queued(q, as("a"))
	d := queued(q, as("d"))
	b.Leave()
	select {
	case p := <-d:
		p.Leave() // then nobody else waits
	case <-more:
		t.Fatal("a user with half of the places was given another while someone else waited")
	}
	(<-more).Leave()
	for _, p := range append(mine, c) {
		p.Leave()
	}
	if s := q.State(); s.Held != 0 || s.Users != 0 {
		t.Errorf("%+v", s)
	}
}

func TestUsersWithoutANameMayHaveEveryPlace(t *testing.T) {
	q := fair.New(4)
	for range 4 {
		take(t, q, as(""))
	}
}

func TestAStatementWhoseClientDoesNotReadMakesRoom(t *testing.T) {
	q := fair.New(4)
	q.Stall = time.Millisecond
	var ended []error
	for range 4 {
		ctx, cancel := context.WithCancelCause(as(""))
		ctx, stream := fair.WithStream(ctx, cancel)
		p := take(t, q, ctx)
		go stream.Send(func() error { // as a client that reads nothing
			<-ctx.Done()
			ended = append(ended, context.Cause(ctx)) // one at a time: only one is ended
			p.Leave()
			return nil
		})
	}
	time.Sleep(5 * time.Millisecond)
	if s := q.State(); s.Stalled != 0 {
		t.Fatalf("ended while nobody waited: %+v", s)
	}
	take(t, q, as("b"))
	if s := q.State(); s.Stalled != 1 || len(ended) != 1 || fault.KindOf(ended[0]) != fault.Unavailable {
		t.Errorf("%+v, %v", s, ended)
	}
}

func TestAStatementWhoseClientReadsIsNotEnded(t *testing.T) {
	q := fair.New(1)
	q.Stall, q.Patience = time.Millisecond, 30*time.Millisecond
	ctx, cancel := context.WithCancelCause(as("a"))
	ctx, stream := fair.WithStream(ctx, cancel)
	take(t, q, ctx)
	stream.Send(func() error { return nil })
	if p, err := q.Take(as("b")); p != nil || err != nil || ctx.Err() != nil {
		t.Errorf("%v, %v; the statement: %v", p, err, ctx.Err())
	}
}

func TestARequestThatLeavesTakesNoPlace(t *testing.T) {
	q := fair.New(1)
	p := take(t, q, as("a"))
	ctx, cancel := context.WithCancel(as("b"))
	got := queued(q, ctx)
	cancel()
	if p := <-got; p != nil {
		t.Error("it was given a place")
	}
	p.Leave()
	p.Leave() // counts once
	take(t, q, as("c"))
}

// 64 clients of 8 users, one of which has 50 of them: in every round of turns each user who waits gets one. So between
// two turns of a user who waits, every other user gets at most one turn for each place.
func TestNobodyStarves(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const places, clients, each = 4, 64, 20
	q := fair.New(places)
	q.Patience = time.Hour
	var mu sync.Mutex
	var turns []string
	var work sync.WaitGroup
	hold := make([]*fair.Place, 0, places)
	for i := range places { // all wait before the first turn
		hold = append(hold, take(t, q, as(fmt.Sprint("z", i))))
	}
	for i := range clients {
		user := "greedy"
		if i >= 50 {
			user = fmt.Sprint("u", i%7)
		}
		pause := time.Duration(random.IntN(200)) * time.Microsecond
		work.Go(func() {
			for range each {
				p, err := q.Take(as(user))
				if p == nil {
					t.Errorf("%s: %v", user, err)
					return
				}
				mu.Lock()
				turns = append(turns, user)
				mu.Unlock()
				time.Sleep(pause)
				p.Leave()
			}
		})
	}
	for q.State().Waiting < clients {
		time.Sleep(time.Millisecond)
	}
	for _, p := range hold {
		p.Leave()
	}
	work.Wait()
	if len(turns) != clients*each {
		t.Errorf("%d turns", len(turns))
	}
	// The seven small users have 2 clients each: while any of them is not done, the greedy one has no more turns than
	// its share: one in each round of eight, and as many as there are places while a small user is between requests.
	last := map[string]int{}
	for i, user := range turns {
		last[user] = i
	}
	small := 0
	for user, at := range last {
		if user != "greedy" && at > small {
			small = at
		}
	}
	greedy := 0
	for _, user := range turns[:small+1] {
		if user == "greedy" {
			greedy++
		}
	}
	if others := small + 1 - greedy; others != 14*each || greedy > 2*others {
		t.Errorf("the greedy user had %d turns while the others had %d", greedy, others)
	}
}
