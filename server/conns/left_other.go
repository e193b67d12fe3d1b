//go:build !unix

package conns

import "net"

// hasLeft returns false: on this system it is unknown whether the other end has closed a connection. Work for it ends
// with its deadline.
func hasLeft(net.Conn) bool { return false }
