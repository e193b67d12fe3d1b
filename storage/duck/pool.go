//go:build duckdb_arrow

package duck

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Pool lends sandboxes. Each statement has an instance of its own, which no other has had and no other gets. The process
// around it serves one statement after another where each left it well: a new instance in it costs a fifth of a new process.
type Pool struct {
	limits   func() Limits // of the next instance; each TempDir is its own
	ready    chan *process
	starting atomic.Bool
	closed   atomic.Bool
	work     sync.WaitGroup // in the background
}

const (
	maxReady = 4                // processes that wait for a statement
	maxUses  = 200              // statements that a process serves
	maxPeak  = 512 << 20        // bytes that a process may have taken and still serve another: it may not give all back
	renewal  = 10 * time.Second // what a new instance may take
)

// NewPool makes a pool. No process is started before one is needed.
func NewPool(limits func() Limits) *Pool {
	return &Pool{limits: limits, ready: make(chan *process, maxReady)}
}

// Take lends a sandbox. Until it is locked, it may be given statements of ours only. The end of a statement's context kills
// its process. Closing the connection ends the instance.
func (p *Pool) Take(ctx context.Context) (*Conn, error) {
	defer p.fill()
	for {
		select {
		case one := <-p.ready:
			if _, err := one.exec(ctx, "SELECT 1"); err == nil { // it may have been killed while it waited
				return &Conn{session: &lent{one, p}}, nil
			}
			p.work.Go(one.end)
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
		default:
			one, err := startProcess(ctx, p.limits())
			if err != nil {
				return nil, err
			}
			return &Conn{session: &lent{one, p}}, nil
		}
	}
}

// fill makes sure that a process is ready in a moment. Where none can be started, whoever wants one next is told why.
func (p *Pool) fill() {
	if len(p.ready) > 0 || p.closed.Load() || !p.starting.CompareAndSwap(false, true) {
		return
	}
	p.work.Go(func() {
		defer p.starting.Store(false)
		if one, err := startProcess(context.Background(), p.limits()); err == nil {
			p.keep(one)
		}
	})
}

// keep puts a process where the next statement finds it, or ends it where enough wait there.
func (p *Pool) keep(one *process) {
	select {
	case p.ready <- one:
	default:
		one.end()
	}
}

// Close ends the processes. All connections must be closed before.
func (p *Pool) Close() {
	p.closed.Store(true)
	p.work.Wait()
	for len(p.ready) > 0 {
		(<-p.ready).end()
	}
}

// lent is a process that serves a statement.
type lent struct {
	*process
	pool *Pool
}

// close has the process made ready for another statement. No one waits for that.
func (l *lent) close(done func()) error {
	l.pool.work.Go(func() {
		defer done()
		if l.pool.closed.Load() || len(l.pool.ready) == maxReady || !l.renewed(l.pool.limits()) {
			l.end()
			return
		}
		l.pool.keep(l.process)
	})
	return nil
}

// renewed gives the process a new instance in place of the one that it has, if all is well with it.
func (p *process) renewed(limits Limits) bool {
	if p.killed.Load() || p.uses == maxUses {
		return false
	}
	p.uses++
	ctx, cancel := context.WithTimeout(context.Background(), renewal)
	defer cancel()
	return p.open(ctx, limits) == nil
}
