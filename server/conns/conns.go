// Package conns bounds the connections of a server: how many it has at once, overall and from one address, and how long
// one may stand still. Every face listens through the same pool, so that none can take what the others need.
//
// A connection beyond a limit is told so and closed, and so is none of those that are there already. What a connection
// may cost is known in advance: the default limits follow from the file descriptors that the process may open.
package conns

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limits are what a pool allows; 0: no limit.
type Limits struct {
	Overall    int           // connections at once
	PerAddress int           // of them from one address; of IPv6, from one network of 64 bits
	Body       time.Duration // how long a body may bring nothing
	Answer     time.Duration // how long a client may take nothing of an answer
}

// Pool is the connections of a server.
type Pool struct {
	limits Limits
	log    *slog.Logger

	mu        sync.Mutex
	open      map[*Conn]struct{}
	addresses map[netip.Addr]int
	told      time.Time // when the log was last told that a connection was refused

	leaving chan struct{} // has a place for each refused connection that is still being told
}

// maxLeaving is how many refused connections are told so at once. Others are closed without a word.
const maxLeaving = 16

// NewPool returns a pool without connections. log may be nil.
func NewPool(l Limits, log *slog.Logger) *Pool {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Pool{
		limits: l, log: log, open: map[*Conn]struct{}{}, addresses: map[netip.Addr]int{}, leaving: make(chan struct{}, maxLeaving),
	}
}

// Listen returns a listener whose connections are the pool's. One beyond a limit is answered with refusal and closed.
func (p *Pool) Listen(l net.Listener, refusal []byte) net.Listener {
	return &listener{Listener: l, pool: p, refusal: refusal}
}

// Close closes every connection.
func (p *Pool) Close() {
	for _, c := range p.all() {
		c.Close()
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

// admit takes a connection into the pool. It returns nil where a limit is reached.
func (p *Pool) admit(conn net.Conn) *Conn {
	from := addressOf(conn)
	p.mu.Lock()
	defer p.mu.Unlock()
	full := p.limits.Overall > 0 && len(p.open) >= p.limits.Overall
	if full || p.limits.PerAddress > 0 && p.addresses[from] >= p.limits.PerAddress {
		if time.Since(p.told) > time.Minute {
			p.told = time.Now()
			p.log.Warn("too many connections: refusing new ones", "open", len(p.open), "address", from, "from_address", p.addresses[from])
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
		conn.Read(make([]byte, 4096)) // or the answer would be lost with the request that no one has read
	}()
}

// addressOf is what connections are counted by.
func addressOf(conn net.Conn) netip.Addr {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return Network(tcp.AddrPort().Addr())
}

// Network is what addresses are counted by: an address of IPv4 itself, and the network of 64 bits that one of IPv6 is in,
// all of which one customer has.
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

// Accept returns the next connection that there is a place for. Where the system has no descriptor left, it waits for
// one: connections that are open go on.
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
		l.pool.refuse(conn, l.refusal)
	}
}
