package conns

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// hasLeft reports whether the other end of a connection has closed it. It consumes no data, and does not mind what has
// arrived before the end, such as a client's farewell in TLS.
func hasLeft(conn net.Conn) bool {
	open, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := open.SyscallConn()
	if err != nil {
		return true
	}
	asked := []unix.PollFd{{Events: unix.POLLRDHUP}}
	if err := raw.Control(func(fd uintptr) {
		asked[0].Fd = int32(fd)
		_, err = unix.Poll(asked, 0)
	}); err != nil {
		return true
	}
	return !errors.Is(err, unix.EINTR) && asked[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
}
