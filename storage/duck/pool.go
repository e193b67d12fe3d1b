//go:build duckdb_arrow

package duck

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Pool lends processes with an instance each. A process serves one borrower after another, as long as it stays healthy.
// In a sandbox, which runs clients' SQL, a borrower gets a new instance, which costs a fifth of starting a new process,
// or one that is confined to the same scope (Scope.Keep). If all SQL is the server's own, the instance is kept.
type Pool struct {
	name   string        // under which its processes are started
	keeps  bool          // whether the next borrower gets the same instance
	limits func() Limits // of the next instance, each with its own TempDir
	most   int           // unconfined processes that wait for a borrower
	closed atomic.Bool
	work   sync.WaitGroup // background work
	asked  atomic.Int64   // requests sent
	opened atomic.Int64   // instances opened
	open   context.Context
	stop   context.CancelFunc // stops processes from being started ahead

	mu      sync.Mutex
	ahead   chan struct{}     // closed once the process that is being started ahead waits; nil: none is
	running map[*process]bool // all processes; true: lent
	ready   []*process        // those that wait for a borrower, the one used last at the end
}

const (
	maxReady = 4                // processes waiting for a borrower
	maxUses  = 200              // borrowers that one process serves
	maxPeak  = 512 << 20        // peak bytes of a process that may be reused: allocators may not return all of it
	renewal  = 10 * time.Second // how long opening a new instance may take
)

// NewPool returns a pool of sandboxes. It starts no process before one is needed.
func NewPool(limits func() Limits) *Pool {
	return newPool(sandboxName, maxReady, limits)
}

// NewKeptPool returns a pool of processes that run ServeChild under that name, for the server's own statements and for
// calls. At most most of them wait for a borrower.
func NewKeptPool(name string, most int, limits func() Limits) *Pool {
	p := newPool(name, most, limits)
	p.keeps = true
	return p
}

func newPool(name string, most int, limits func() Limits) *Pool {
	p := &Pool{name: name, limits: limits, most: most, running: map[*process]bool{}}
	p.open, p.stop = context.WithCancel(context.Background())
	return p
}

// Take lends a process; closing the connection gives it back. Until a sandbox is locked, it may only run the server's
// own statements. When the context of a statement ends, its process is killed.
func (p *Pool) Take(ctx context.Context) (*Conn, error) {
	one := p.takeWaiting(ctx, isConfined)
	if one == nil {
		var err error
		if one, err = p.takeNew(ctx); err != nil {
			return nil, err
		}
	}
	return &Conn{session: &lent{one, p}}, nil
}

// takeNew lends a process that is not confined, and starts it if none is waiting. The next one is started ahead once
// this one is given back: starting it takes a processor for about as long as a short statement, which would be slower.
func (p *Pool) takeNew(ctx context.Context) (*process, error) {
	if one := p.takeWaiting(ctx, isNew); one != nil {
		return one, nil
	}
	if started := p.startedAhead(); started != nil { // it is there sooner than another would be
		select {
		case <-started:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if one := p.takeWaiting(ctx, isNew); one != nil {
			return one, nil
		}
	}
	one, err := p.start(ctx)
	if err == nil {
		p.note(one, true)
	}
	return one, err
}

// takeWaiting lends the waiting process of a kind that was used last; nil if there is none.
func (p *Pool) takeWaiting(ctx context.Context, is func(*process) bool) *process {
	for {
		one := p.pick(is)
		if one == nil || p.isAlive(ctx, one) {
			return one
		}
		p.work.Go(func() { p.end(one) })
	}
}

// pick takes the waiting process of a kind that was used last out of those that wait; nil if there is none.
func (p *Pool) pick(is func(*process) bool) *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, one := range slices.Backward(p.ready) {
		if is(one) {
			p.ready = slices.Delete(p.ready, i, i+1)
			p.running[one] = true
			return one
		}
	}
	return nil
}

// waiting returns how many processes of a kind wait.
func (p *Pool) waiting(is func(*process) bool) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.ready {
		if is(one) {
			n++
		}
	}
	return n
}

// isAlive reports whether a process that waited can be lent: it may have been killed in the meantime. The pipe of a
// process that is being killed may still be open, so sandboxes, which clients' statements may get killed, must also
// answer a request.
func (p *Pool) isAlive(ctx context.Context, one *process) bool {
	return !hasEnded(one.pipe) && (p.keeps || one.send(ctx, request{Reset: true}) == nil)
}

func (p *Pool) start(ctx context.Context) (*process, error) {
	one, err := startProcess(ctx, p.name, p.limits())
	if err == nil {
		one.asked = &p.asked
		p.opened.Add(1)
	}
	return one, err
}

// Asked returns how many requests the processes were sent. Tests bound it, because every request costs an upload or a
// query a round trip.
func (p *Pool) Asked() int64 { return p.asked.Load() }

// Opened returns how many instances were opened, each of which costs as much as a short statement.
func (p *Pool) Opened() int64 { return p.opened.Load() }

// Fill starts a process in the background, unless one is ready. If that fails, the next Take tries again and returns
// the error.
func (p *Pool) Fill() {
	if p.waiting(isNew) > 0 || p.closed.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ahead != nil {
		return
	}
	started := make(chan struct{})
	p.ahead = started
	p.work.Go(func() {
		one, err := p.start(p.open)
		if err == nil {
			p.keep(one)
		}
		p.mu.Lock()
		p.ahead = nil
		p.mu.Unlock()
		close(started)
	})
}

// startedAhead returns what is closed once the process that is being started ahead waits; nil: none is being started.
func (p *Pool) startedAhead() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ahead
}

// keep makes a process available to the next borrower, or ends it if enough are waiting.
func (p *Pool) keep(one *process) {
	if isConfined(one) {
		p.keepConfined(one)
		return
	}
	if p.waiting(isNew) >= p.most {
		p.end(one)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running[one] = false
	p.ready = append(p.ready, one)
}

// note records that a process runs, and whether it is lent.
func (p *Pool) note(one *process, lent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running[one] = lent
}

// end ends a process.
func (p *Pool) end(one *process) {
	one.end()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, one)
}

// Close ends the processes. All connections must be closed first.
func (p *Pool) Close() {
	p.closed.Store(true)
	p.stop()
	p.work.Wait()
	for one := p.pick(isAny); one != nil; one = p.pick(isAny) {
		p.end(one)
	}
}

// lent is the session of a borrowed process.
type lent struct {
	*process
	pool *Pool
}

// close makes the process ready for another borrower, in the background.
func (l *lent) close(done func()) error {
	l.pool.work.Go(func() {
		defer done()
		l.pool.giveBack(l.process)
	})
	return nil
}

// giveBack makes a process that was lent ready for another borrower, or ends it.
func (p *Pool) giveBack(one *process) {
	if p.closed.Load() || !isConfined(one) && p.waiting(isNew) >= p.most || !one.renewed(p) {
		p.end(one)
	} else {
		p.keep(one)
	}
	p.Fill()
}

// renewed makes the process ready for another borrower, and reports whether it is.
func (p *process) renewed(pool *Pool) bool {
	if p.killed.Load() || p.uses == maxUses {
		return false
	}
	p.uses++
	ctx, cancel := context.WithTimeout(context.Background(), renewal)
	defer cancel()
	if pool.keeps {
		return p.send(ctx, request{Reset: true}) == nil
	}
	if isConfined(p) && p.send(ctx, request{Next: true}) == nil {
		return true
	}
	if p.scope = ""; pool.waiting(isNew) >= pool.most {
		return false
	}
	pool.opened.Add(1)
	return p.open(ctx, pool.limits()) == nil
}
