//go:build unix

package duck

import (
	"os"

	"golang.org/x/sys/unix"
)

// hasEnded reports whether the other end of a pipe is closed, as it is once its process has ended.
func hasEnded(pipe *os.File) (ended bool) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Control(func(fd uintptr) {
		state := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(state, 0)
		ended = err == nil && n > 0 && state[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
	})
	return ended || err != nil
}
