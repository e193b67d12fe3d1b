package catalog

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Lock waits for the lock of that name, such as the one on a dataset's head, and returns the function that releases it.
// Waiters of this process are served in the order of their arrival. Where several servers have the catalog, one of them
// has the lock (postgres_lock.go); it may be lost with the connection, which Holds finds out.
func (c *Catalog) Lock(ctx context.Context, name string) (unlock func(), err error) {
	turn, err := c.take(ctx, &Turn{name: name})
	if err != nil {
		return nil, err
	}
	return turn.Leave, nil
}

// Join is Lock for those that may hand the lock to each other, with what they have done so far. The numbers of their
// commit and its files are drawn with it, where several servers draw: they are what Draw returns first.
func (c *Catalog) Join(ctx context.Context, name string) (*Turn, error) {
	return c.take(ctx, &Turn{name: name, joins: true})
}

// take waits for the lock in this process, then for other processes.
func (c *Catalog) take(ctx context.Context, turn *Turn) (*Turn, error) {
	turn.release = c.in.release
	turn, err := c.locks.wait(ctx, turn)
	if err != nil || turn.grip != nil || !c.in.isRemote() {
		return turn, err
	}
	if turn.follows {
		err = c.in.letOthers(ctx, turn.name)
	}
	var g *grip
	if err == nil {
		g, turn.drawn, err = c.in.grip(ctx, turn.name, turn.joins)
	}
	if err != nil {
		turn.Leave()
		return nil, c.told(err)
	}
	c.locks.setGrip(turn.name, g)
	return turn, nil
}

// TryLock is Lock for those that do not wait: ok is false where someone has the lock. It is for duties, which one
// server has for long: held ends with ctx, with unlock, and when the lock is lost.
func (c *Catalog) TryLock(
	ctx context.Context, name string,
) (held context.Context, unlock func(), ok bool, err error) {
	turn, ok := c.locks.try(name)
	if !ok {
		return ctx, func() {}, false, nil
	}
	turn.release = c.in.release
	g, err := c.in.tryGrip(ctx, name)
	if err != nil || g == nil && c.in.isRemote() {
		turn.Leave()
		return ctx, func() {}, false, c.told(err)
	}
	held, end := context.WithCancel(ctx)
	if g != nil {
		c.locks.setGrip(name, g)
		stop := end
		go func() {
			select {
			case <-g.session.ended:
			case <-held.Done():
			}
			stop()
		}()
	}
	return held, func() { end(); turn.Leave() }, true, nil
}

// IsLocked reports whether someone holds the lock of that name, on any server. Where that can't be found out, no other
// server does.
func (c *Catalog) IsLocked(ctx context.Context, name string) bool {
	if c.Queued(name) > 0 {
		return true
	}
	locked, err := c.in.isLocked(ctx, name)
	return err == nil && locked
}

// Queued returns how many of this process hold the lock of that name or wait for it.
func (c *Catalog) Queued(name string) int {
	c.locks.mu.Lock()
	defer c.locks.mu.Unlock()
	return len(c.locks.queues[name])
}

// Turn is someone's place in the queue for a lock.
type Turn struct {
	table  *lockTable
	name   string
	joins  bool
	come   chan struct{} // closed when it holds the lock
	handed any

	grip    *grip // of the session, where several servers may have the lock; else nil
	drawn   drawn // with the grip, and not given yet
	release func(name string, g *grip)
	follows bool // another one of this process had the lock before
}

// Handed returns what came with the lock: what its holder before has handed over; nil if it was free.
func (t *Turn) Handed() any { return t.handed }

// Hand hands the lock to the next in the queue, with v. It reports false, and the lock is still held, if there is no
// one or that one does not join.
func (t *Turn) Hand(v any) bool {
	t.table.mu.Lock()
	defer t.table.mu.Unlock()
	queue := t.table.queues[t.name]
	if len(queue) < 2 || !queue[1].joins {
		return false
	}
	queue[1].handed, queue[1].grip = v, t.grip
	t.grip = nil
	t.table.remove(t)
	return true
}

// Leave releases the lock.
func (t *Turn) Leave() {
	t.table.mu.Lock()
	defer t.table.mu.Unlock()
	queue := t.table.queues[t.name]
	if len(queue) > 1 && queue[0] == t {
		next := queue[1]
		next.follows = true
		if g := t.grip; g != nil && !g.hasEnded() && time.Since(g.since) < tenureTime {
			next.grip, t.grip = g, nil
		}
	}
	if t.grip != nil {
		t.release(t.name, t.grip)
		t.grip = nil
	}
	t.table.remove(t)
}

// gripOf returns the session's part of a lock that someone of this process has; nil: no one does.
func (t *lockTable) gripOf(name string) *grip {
	t.mu.Lock()
	defer t.mu.Unlock()
	if queue := t.queues[name]; len(queue) > 0 {
		return queue[0].grip
	}
	return nil
}

// give returns the next number that was drawn with a lock, if there is one and the session still has it.
func (t *lockTable) give(name, sequence string, s *session) (n int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	queue := t.queues[name]
	if len(queue) == 0 || queue[0].grip == nil || queue[0].grip.session != s || len(queue[0].drawn[sequence]) == 0 {
		return 0, false
	}
	numbers := queue[0].drawn[sequence]
	queue[0].drawn[sequence] = numbers[1:]
	return numbers[0], true
}

// joins reports whether a lock is held by one who came by Join.
func (t *lockTable) joins(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	queue := t.queues[name]
	return len(queue) > 0 && queue[0].joins && queue[0].grip != nil
}

// keep keeps numbers that were drawn under a lock, for its holder to be given.
func (t *lockTable) keep(name string, numbers drawn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if queue := t.queues[name]; len(queue) > 0 {
		queue[0].drawn = numbers
	}
}

// setGrip sets the session's part of a lock that someone of this process has.
func (t *lockTable) setGrip(name string, g *grip) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if queue := t.queues[name]; len(queue) > 0 {
		queue[0].grip, queue[0].drawn = g, nil // what the former session drew may be lost with it
	}
}

// lockTable has one first-in, first-out lock for each name: the first in a queue holds it.
type lockTable struct {
	mu     sync.Mutex
	queues map[string][]*Turn
}

func newLockTable() *lockTable { return &lockTable{queues: map[string][]*Turn{}} }

// wait queues a turn and waits until it holds the lock.
func (t *lockTable) wait(ctx context.Context, turn *Turn) (*Turn, error) {
	turn.table, turn.come = t, make(chan struct{})
	t.mu.Lock()
	t.queues[turn.name] = append(t.queues[turn.name], turn)
	if t.queues[turn.name][0] == turn {
		close(turn.come)
	}
	t.mu.Unlock()
	select {
	case <-turn.come:
		return turn, nil
	case <-ctx.Done():
		if t.giveUp(turn) {
			return nil, context.Cause(ctx)
		}
		return turn, nil // it came at the same moment, perhaps with something handed over
	}
}

// try takes a lock that no one has or waits for.
func (t *lockTable) try(name string) (turn *Turn, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queues[name]) > 0 {
		return nil, false
	}
	turn = &Turn{table: t, name: name, come: make(chan struct{})}
	close(turn.come)
	t.queues[name] = []*Turn{turn}
	return turn, true
}

// giveUp takes a turn out of its queue, unless it holds the lock by now.
func (t *lockTable) giveUp(turn *Turn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.queues[turn.name][0] == turn {
		return false
	}
	t.remove(turn)
	return true
}

// remove takes a turn out of its queue, if it is there, and wakes the next if it held the lock.
func (t *lockTable) remove(turn *Turn) {
	queue := t.queues[turn.name]
	i := slices.Index(queue, turn)
	if i < 0 {
		return
	}
	queue = slices.Delete(queue, i, i+1)
	t.queues[turn.name] = queue
	if len(queue) == 0 {
		delete(t.queues, turn.name)
	} else if i == 0 {
		close(queue[0].come)
	}
}
