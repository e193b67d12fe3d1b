package duck

import (
	"os"
	"strconv"
	"syscall"
)

// ownProgram returns the path of the running program, which stays valid after its file was replaced.
func ownProgram() (string, error) { return "/proc/" + strconv.Itoa(os.Getpid()) + "/exe", nil }

// widenPipe raises the capacity of a pipe from 64 KiB to 1 MiB, if the system allows it.
func widenPipe(f *os.File) {
	const setPipeSize = 1031 // F_SETPIPE_SZ
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // it works without
		syscall.Syscall(syscall.SYS_FCNTL, fd, setPipeSize, 1<<20)
	})
}

// BoundProcess limits how much memory this process may reserve, in bytes. DuckDB's own limit counts what it holds
// between operators, but not the size that a single value grows to, which could take all of the machine's memory. An
// allocation beyond the limit fails the statement, or ends the process.
func BoundProcess(bytes int64) error {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_DATA, &r); err != nil {
		return err
	}
	r.Cur = min(r.Max, uint64(bytes))
	return syscall.Setrlimit(syscall.RLIMIT_DATA, &r)
}
