package conns

import (
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

// Conn is one connection of a pool.
//
// Its deadlines for reading are its user's, until AwaitBody: then each read gets the pool's time for a body. Writes
// always get the pool's time for an answer, anew with every byte that goes out.
type Conn struct {
	net.Conn
	pool    *Pool
	from    netip.Addr
	once    sync.Once
	pause   atomic.Int64 // that a body may make, nanoseconds; 0: no body is read
	ended   atomic.Bool
	stalled atomic.Bool
}

// AwaitBody says that a body is read from now on: however long it takes, it must not stand still. The next deadline
// that is set ends that.
func (c *Conn) AwaitBody() { c.pause.Store(int64(c.pool.limits.Body)) }

// restPause is how long the rest of a body may bring nothing that is read only so that its sender gets to see the answer.
const restPause = 5 * time.Second

// AwaitRest says that what is left of a body is read from now on, and that the answer waits for it.
func (c *Conn) AwaitRest() {
	if pause := c.pause.Load(); pause > int64(restPause) {
		c.pause.Store(int64(restPause))
	}
}

// Ended reports whether the other end has said that it sends no more. The last chunk of a body says that it is the last,
// so that no one reads on: a body in chunks that reads to the connection's end was cut.
func (c *Conn) Ended() bool { return c.ended.Load() }

// Stalled reports whether a read ended because nothing came in time.
func (c *Conn) Stalled() bool { return c.stalled.Load() }

// SetDeadline gives all reads that follow, together, until t. Writes keep their own time.
func (c *Conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline gives all reads that follow, together, until t.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.pause.Store(0)
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline changes nothing: writes have their own time.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

func (c *Conn) Read(p []byte) (int, error) {
	if pause := time.Duration(c.pause.Load()); pause > 0 {
		if err := c.Conn.SetReadDeadline(time.Now().Add(pause)); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Read(p)
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
		written += n
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
	}
}

// Close closes the connection and gives its place to the next.
func (c *Conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.pool.release(c) })
	return err
}

// Left reports whether the other end has closed the connection. It takes nothing out of it.
func (c *Conn) Left() bool { return hasLeft(c.Conn) }

// Reset has the connection end, when it is closed, in a way that the other end sees as an error.
func (c *Conn) Reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
}

// SyscallConn is the connection as the system has it: gRPC asks for its options.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	open, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return open.SyscallConn()
}
