//go:build !unix

package conns

// Descriptors is how many descriptors this process may have open: 0, it is not known here.
func Descriptors() int { return 0 }
