// Package conns limits the connections of a server: how many there are at once, overall and from one address, and how
// long one may stall. Every face listens through the same pool, so that none can starve the others.
//
// A connection beyond a limit gets an answer that says so and is closed; existing connections stay. What a connection
// costs is known in advance: the default limits follow from the number of file descriptors that the process may open.
package conns

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Limits are what a pool allows; 0: no limit.
type Limits struct {
	Overall    int           // connections at once
	PerAddress int           // connections from one address; with IPv6, from one /64 network
	Body       time.Duration // the longest pause in a body
	Answer     time.Duration // the longest time that a client may read nothing of an answer
}

// Pool is the connections of a server.
type Pool struct {
	limits Limits
	log    *slog.Logger

	mu        sync.Mutex
	open      map[*Conn]struct{}
	addresses map[netip.Addr]int
	warned    time.Time // when a refused connection was last logged

	refused, received, sent atomic.Int64 // connections; bytes

	leaving chan struct{} // has a place for each refused connection that is still being answered
}

// maxLeaving is how many refused connections are answered at once. Others are closed without an answer.
const maxLeaving = 16

// NewPool returns a pool without connections. log may be nil.
func NewPool(l Limits, log *slog.Logger) *Pool {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Pool{
		limits: l, log: log, open: map[*Conn]struct{}{}, addresses: map[netip.Addr]int{},
		leaving: make(chan struct{}, maxLeaving),
	}
}

// Listen returns a listener whose connections belong to the pool. One beyond a limit is answered with refusal and
// closed.
func (p *Pool) Listen(l net.Listener, refusal []byte) net.Listener {
	return &listener{Listener: l, pool: p, refusal: refusal}
}

// Use is how much a pool is used. Bytes are as they are on the wire, of headers and encryption too.
type Use struct {
	Open, Overall  int   // connections, and how many there may be; 0: any number
	Refused        int64 // connections beyond a limit
	Received, Sent int64 // bytes
}

// Use returns how much the pool is used, since the start.
func (p *Pool) Use() Use {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Use{len(p.open), p.limits.Overall, p.refused.Load(), p.received.Load(), p.sent.Load()}
}

// Close closes every connection.
func (p *Pool) Close() {
	for _, c := range p.all() {
		_ = c.Close() // its client sees that
	}
}

// Wait waits until every connection is closed, and reports whether that happened before ctx ended.
func (p *Pool) Wait(ctx context.Context) bool {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for len(p.all()) > 0 {
		select {
		case <-ctx.Done():
			return false
		case <-look.C:
		}
	}
	return true
}

func (p *Pool) all() []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]*Conn, 0, len(p.open))
	for c := range p.open {
		out = append(out, c)
	}
	return out
}

// admit adds a connection to the pool. It returns nil if a limit is reached.
func (p *Pool) admit(conn net.Conn) *Conn {
	from := addressOf(conn)
	p.mu.Lock()
	defer p.mu.Unlock()
	full := p.limits.Overall > 0 && len(p.open) >= p.limits.Overall
	if full || p.limits.PerAddress > 0 && p.addresses[from] >= p.limits.PerAddress {
		if time.Since(p.warned) > time.Minute {
			p.warned = time.Now()
			p.log.Warn("too many connections: refusing new ones", "open", len(p.open), "address", from, "from_address",
				p.addresses[from])
		}
		return nil
	}
	c := &Conn{Conn: conn, pool: p, from: from}
	p.open[c] = struct{}{}
	p.addresses[from]++
	return c
}

func (p *Pool) release(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	if p.addresses[c.from]--; p.addresses[c.from] <= 0 {
		delete(p.addresses, c.from)
	}
}

// refuse answers a connection that is over a limit and closes it. It does not wait for the client.
func (p *Pool) refuse(conn net.Conn, refusal []byte) {
	select {
	case p.leaving <- struct{}{}:
	default:
		conn.Close()
		return
	}
	go func() {
		defer func() { conn.Close(); <-p.leaving }()
		conn.SetDeadline(time.Now().Add(time.Second))
		if _, err := conn.Write(refusal); err != nil {
			return
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.CloseWrite()
		}
		conn.Read(make([]byte, 4096)) // otherwise the answer would be lost with the unread request
	}()
}

// addressOf returns the key that connections are counted by.
func addressOf(conn net.Conn) netip.Addr {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return Network(tcp.AddrPort().Addr())
}

// Network returns what an address counts as: an IPv4 address itself, and an IPv6 address as its /64 network,
// which usually belongs to one customer.
func Network(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is4() || !a.IsValid() {
		return a
	}
	prefix, err := a.Prefix(64)
	if err != nil {
		return a
	}
	return prefix.Addr()
}

// listener accepts connections, whatever happens, until it is closed.
type listener struct {
	net.Listener
	pool    *Pool
	refusal []byte
}

// Accept returns the next connection that there is a place for. If the system has no descriptor left, it waits for
// one: open connections continue.
func (l *listener) Accept() (net.Conn, error) {
	pause := time.Duration(0)
	for {
		conn, err := l.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil, err
		case err != nil:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			l.pool.log.Error("a connection could not be accepted", "error", err, "pause", pause)
			time.Sleep(pause)
			continue
		}
		pause = 0
		if c := l.pool.admit(conn); c != nil {
			return c, nil
		}
		l.pool.refused.Add(1)
		l.pool.refuse(conn, l.refusal)
	}
}
