//go:build !unix

package conns

import "net"

// hasLeft returns false: this system does not tell whether the other end has closed a connection. Its work ends
// with its deadline.
func hasLeft(net.Conn) bool { return false }
