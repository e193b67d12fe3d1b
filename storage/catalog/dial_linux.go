package catalog

import (
	"errors"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// sendingMillis is how long what was sent may remain without an acknowledgement.
const sendingMillis = 10_000

// boundSending bounds that time of a connection, which the system would otherwise try for a quarter of an hour.
func boundSending(network, _ string, c syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var errSet error
	err := c.Control(func(fd uintptr) {
		errSet = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, sendingMillis)
	})
	return errors.Join(err, errSet)
}
