package catalog

import (
	"context"
	"sync"
)

// Lock waits for the lock of that name, such as the one on a dataset's head, and returns the function that releases it.
// Waiters are served in the order of their arrival. Locks belong to the catalog so that one shared by several servers
// can hold them itself; this one is opened by a single process, which keeps them in memory.
func (c *Catalog) Lock(ctx context.Context, name string) (unlock func(), err error) {
	return c.locks.lock(ctx, name)
}

// IsLocked reports whether someone holds the lock of that name.
func (c *Catalog) IsLocked(name string) bool { return c.locks.held(name) }

// lockTable has one first-in, first-out lock for each name.
type lockTable struct {
	mu    sync.Mutex
	locks map[string]*namedLock
}

type namedLock struct {
	queue []chan struct{} // the first holds the lock
}

func newLockTable() *lockTable { return &lockTable{locks: map[string]*namedLock{}} }

func (t *lockTable) lock(ctx context.Context, name string) (unlock func(), err error) {
	ticket := make(chan struct{})
	t.mu.Lock()
	l := t.locks[name]
	if l == nil {
		l = &namedLock{}
		t.locks[name] = l
		close(ticket)
	}
	l.queue = append(l.queue, ticket)
	t.mu.Unlock()
	select {
	case <-ticket:
		return func() { t.leave(name, l, ticket) }, nil
	case <-ctx.Done():
		t.leave(name, l, ticket)
		return nil, context.Cause(ctx)
	}
}

// held reports whether someone holds the lock of that name.
func (t *lockTable) held(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.locks[name] != nil
}

// leave removes a ticket from the queue and, if it held the lock, wakes the next.
func (t *lockTable) leave(name string, l *namedLock, ticket chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, q := range l.queue {
		if q != ticket {
			continue
		}
		l.queue = append(l.queue[:i], l.queue[i+1:]...)
		if len(l.queue) == 0 {
			delete(t.locks, name)
		} else if i == 0 {
			close(l.queue[0])
		}
		return
	}
}
