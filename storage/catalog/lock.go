package catalog

import (
	"context"
	"slices"
	"sync"
)

// Lock waits for the lock of that name, such as the one on a dataset's head, and returns the function that releases it.
// Waiters are served in the order of their arrival. Locks belong to the catalog so that one shared by several servers
// can hold them itself; this one is opened by a single process, which keeps them in memory.
func (c *Catalog) Lock(ctx context.Context, name string) (unlock func(), err error) {
	turn, err := c.locks.wait(ctx, &Turn{name: name})
	if err != nil {
		return nil, err
	}
	return turn.Leave, nil
}

// Join is Lock for those that may hand the lock to each other, with what they have done so far.
func (c *Catalog) Join(ctx context.Context, name string) (*Turn, error) {
	return c.locks.wait(ctx, &Turn{name: name, joins: true})
}

// TryLock is Lock for those that do not wait: ok is false where someone has the lock. It is for duties, which one server
// has for long: held ends with ctx, with unlock, and when the lock is lost.
func (c *Catalog) TryLock(
	ctx context.Context, name string,
) (held context.Context, unlock func(), ok bool, err error) {
	turn, ok := c.locks.try(name)
	if !ok {
		return ctx, func() {}, false, nil
	}
	held, end := context.WithCancel(ctx)
	return held, func() { end(); turn.Leave() }, true, nil
}

// IsLocked reports whether someone holds the lock of that name.
func (c *Catalog) IsLocked(name string) bool { return c.Queued(name) > 0 }

// Queued returns how many hold the lock of that name or wait for it.
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
	queue[1].handed = v
	t.table.remove(t)
	return true
}

// Leave releases the lock.
func (t *Turn) Leave() {
	t.table.mu.Lock()
	defer t.table.mu.Unlock()
	t.table.remove(t)
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
