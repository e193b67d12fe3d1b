package duck

import (
	"os"
	"strconv"
	"syscall"
)

// ownProgram is the program that runs, also after its file was replaced.
func ownProgram() (string, error) { return "/proc/" + strconv.Itoa(os.Getpid()) + "/exe", nil }

// widenPipe has the system keep more than 64 KiB between the two ends of a pipe, where it can.
func widenPipe(f *os.File) {
	const setPipeSize = 1031 // F_SETPIPE_SZ
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) { syscall.Syscall(syscall.SYS_FCNTL, fd, setPipeSize, 1<<20) }) //nolint:errcheck // it works without
}

// BoundProcess has the system refuse this process memory beyond a bound, bytes. DuckDB counts what it holds between
// operators, and not what a single value grows to: without a bound, that could take all that the machine has. A refusal
// ends the statement that met it, or the process.
func BoundProcess(bytes int64) error {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_DATA, &r); err != nil {
		return err
	}
	r.Cur = min(r.Max, uint64(bytes))
	return syscall.Setrlimit(syscall.RLIMIT_DATA, &r)
}
