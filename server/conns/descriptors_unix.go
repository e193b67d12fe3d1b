//go:build unix

package conns

import "syscall"

// Descriptors returns how many descriptors this process may open; 0: unknown. Go's runtime raises the soft limit
// to the hard limit when the process starts.
func Descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(uint64(limit.Cur), 1<<30))
}
