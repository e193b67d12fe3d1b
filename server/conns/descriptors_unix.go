//go:build unix

package conns

import "syscall"

// Descriptors is how many descriptors this process may have open; 0: not known. Go's runtime has raised the soft limit
// to the hard one when the process began.
func Descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(uint64(limit.Cur), 1<<30))
}
