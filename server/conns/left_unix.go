//go:build unix && !linux

package conns

import (
	"net"
	"syscall"
)

// hasLeft reports whether the other end of a connection has closed it. It consumes no data.
func hasLeft(conn net.Conn) bool {
	open, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := open.SyscallConn()
	if err != nil {
		return true
	}
	var n int
	var met error
	if err := raw.Control(func(fd uintptr) {
		n, _, met = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	}); err != nil {
		return true
	}
	return met == nil && n == 0 || met == syscall.ECONNRESET
}
