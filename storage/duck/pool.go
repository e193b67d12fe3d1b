//go:build duckdb_arrow

package duck

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Pool lends processes with an instance each. A process serves one borrower after another where each left it well.
//
// A sandbox's instance is new for each borrower, whose SQL is a client's: no other has had it and no other gets it. That
// costs a fifth of a new process. Where all SQL is ours, the instance is kept.
type Pool struct {
	name     string        // that its processes are started under
	keeps    bool          // the instance, for the next borrower
	limits   func() Limits // of the next instance; each TempDir is its own
	ready    chan *process
	starting atomic.Bool
	closed   atomic.Bool
	work     sync.WaitGroup // in the background
	asked    atomic.Int64   // requests
	open     context.Context
	stop     context.CancelFunc // ends what is being started for later

	mu      sync.Mutex
	running map[*process]bool // its processes: true where one is lent
}

const (
	maxReady = 4                // processes that wait for a statement
	maxUses  = 200              // statements that a process serves
	maxPeak  = 512 << 20        // bytes that a process may have taken and still serve another: it may not give all back
	renewal  = 10 * time.Second // what a new instance may take
)

// NewPool makes a pool of sandboxes. No process is started before one is needed.
func NewPool(limits func() Limits) *Pool {
	return newPool(sandboxName, maxReady, limits)
}

// NewKeptPool makes a pool of processes that ServeChild made of that name, for statements of ours and calls. At most so
// many wait for a borrower.
func NewKeptPool(name string, most int, limits func() Limits) *Pool {
	p := newPool(name, most, limits)
	p.keeps = true
	return p
}

func newPool(name string, most int, limits func() Limits) *Pool {
	p := &Pool{name: name, limits: limits, ready: make(chan *process, most), running: map[*process]bool{}}
	p.open, p.stop = context.WithCancel(context.Background())
	return p
}

// Take lends a process. Until it is locked, a sandbox may be given statements of ours only. The end of a statement's
// context kills its process. Closing the connection gives it back.
func (p *Pool) Take(ctx context.Context) (*Conn, error) {
	if !p.keeps {
		defer p.Fill()
	}
	for {
		select {
		case one := <-p.ready:
			if p.isAlive(ctx, one) {
				p.note(one, true)
				return &Conn{session: &lent{one, p}}, nil
			}
			p.work.Go(func() { p.end(one) })
		default:
			one, err := p.start(ctx)
			if err != nil {
				return nil, err
			}
			p.note(one, true)
			return &Conn{session: &lent{one, p}}, nil
		}
	}
}

// isAlive reports whether a process that waited can be lent: it may have been killed meanwhile. The pipe of one that is
// being killed may still be open, so sandboxes, which anyone's statement may have grow and be killed, are asked.
func (p *Pool) isAlive(ctx context.Context, one *process) bool {
	return !hasEnded(one.pipe) && (p.keeps || one.send(ctx, request{Rest: true}) == nil)
}

func (p *Pool) start(ctx context.Context) (*process, error) {
	one, err := startProcess(ctx, p.name, p.limits())
	if err == nil {
		one.asked = &p.asked
	}
	return one, err
}

// Asked is how many requests the processes have been sent: an upload or a query takes longer with each.
func (p *Pool) Asked() int64 { return p.asked.Load() }

// Fill makes sure that a process is ready in a moment; it does not wait for that. Where none can be started, whoever wants
// one next is told why.
func (p *Pool) Fill() {
	if len(p.ready) > 0 || p.closed.Load() || !p.starting.CompareAndSwap(false, true) {
		return
	}
	p.work.Go(func() {
		defer p.starting.Store(false)
		if one, err := p.start(p.open); err == nil {
			p.keep(one)
		}
	})
}

// replace has a process started in place of one that ended, where the next borrower would find none.
func (p *Pool) replace() {
	if p.keeps {
		p.Fill()
	}
}

// keep puts a process where the next statement finds it, or ends it where enough wait there.
func (p *Pool) keep(one *process) {
	p.note(one, false)
	select {
	case p.ready <- one:
	default:
		p.end(one)
	}
}

// note remembers that a process runs, and whether it is lent.
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

// Close ends the processes. All connections must be closed before.
func (p *Pool) Close() {
	p.closed.Store(true)
	p.stop()
	p.work.Wait()
	for len(p.ready) > 0 {
		p.end(<-p.ready)
	}
}

// lent is a process that serves a statement.
type lent struct {
	*process
	pool *Pool
}

// close has the process made ready for another borrower. No one waits for that.
func (l *lent) close(done func()) error {
	l.pool.work.Go(func() {
		defer done()
		if l.pool.closed.Load() || len(l.pool.ready) == cap(l.pool.ready) || !l.renewed(l.pool) {
			l.pool.end(l.process)
			l.pool.replace()
			return
		}
		l.pool.keep(l.process)
	})
	return nil
}

// renewed makes the process as good as new for another borrower, if all is well with it.
func (p *process) renewed(pool *Pool) bool {
	if p.killed.Load() || p.uses == maxUses {
		return false
	}
	p.uses++
	ctx, cancel := context.WithTimeout(context.Background(), renewal)
	defer cancel()
	if pool.keeps {
		return p.send(ctx, request{Rest: true}) == nil
	}
	return p.open(ctx, pool.limits()) == nil
}
