package conns

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is a connection of a pool.
//
// Its read deadlines are set by its user until AwaitBody; from then on each read has the pool's limit for bodies.
// Writes always have the pool's limit for answers, which restarts with every byte sent.
type Conn struct {
	net.Conn
	pool    *Pool
	from    netip.Addr
	once    sync.Once
	pause   atomic.Int64 // longest pause in a body, in nanoseconds; 0: no body is being read
	ended   atomic.Bool
	stalled atomic.Bool
}

// Of returns the connection of a pool that a connection is, or that TLS is spoken on; nil: it is of no pool.
func Of(conn net.Conn) *Conn {
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn()
	}
	c, _ := conn.(*Conn)
	return c
}

// AwaitBody marks the start of a body: it may take any time, but must not stall. The next deadline
// that is set ends this.
func (c *Conn) AwaitBody() { c.pause.Store(int64(c.pool.limits.Body)) }

// restPause is the longest pause in the rest of a body that is read only so that its sender gets to see the answer.
const restPause = 5 * time.Second

// AwaitRest marks that the rest of a body is being read, with the answer waiting for it.
func (c *Conn) AwaitRest() {
	if pause := c.pause.Load(); pause > int64(restPause) {
		c.pause.Store(int64(restPause))
	}
}

// Ended reports whether the other end has finished sending. A body in chunks has a last chunk,
// so a body in chunks that reaches the end of the connection was cut.
func (c *Conn) Ended() bool { return c.ended.Load() }

// Stalled reports whether a read ended because nothing arrived in time.
func (c *Conn) Stalled() bool { return c.stalled.Load() }

// SetDeadline sets the deadline of all following reads. Writes keep their own limit.
func (c *Conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline sets the deadline of all following reads.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.pause.Store(0)
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline does nothing: writes have their own limit.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

func (c *Conn) Read(p []byte) (int, error) {
	if pause := time.Duration(c.pause.Load()); pause > 0 {
		if err := c.Conn.SetReadDeadline(time.Now().Add(pause)); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Read(p)
	c.pool.received.Add(int64(n))
	if errors.Is(err, io.EOF) {
		c.ended.Store(true)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.stalled.Store(true)
	}
	return n, err
}

func (c *Conn) Write(p []byte) (written int, err error) {
	for {
		if c.pool.limits.Answer > 0 {
			if err := c.Conn.SetWriteDeadline(time.Now().Add(c.pool.limits.Answer)); err != nil {
				return written, err
			}
		}
		n, err := c.Conn.Write(p[written:])
		c.pool.sent.Add(int64(n))
		written += n
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
	}
}

// Close closes the connection and frees its place in the pool.
func (c *Conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.pool.release(c) })
	return err
}

// Left reports whether the other end has closed the connection. It consumes no data.
func (c *Conn) Left() bool { return hasLeft(c.Conn) }

// Reset makes the connection end, when it is closed, in a way that the other end sees as an error.
func (c *Conn) Reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
}

// SyscallConn returns the raw connection: gRPC needs it for socket options.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	open, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return open.SyscallConn()
}
