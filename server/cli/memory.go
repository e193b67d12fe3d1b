package cli

import (
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/duck"
)

// machineMemory returns how much memory this process may use, in bytes: the machine's, or its cgroup's limit;
// 0 if neither is known.
func machineMemory() int64 {
	total, err := memlimit.FromSystem()
	if err != nil {
		return 0
	}
	if own, err := memlimit.FromCgroup(); err == nil {
		total = min(total, own)
	}
	return int64(total)
}

// memoryBeside is how many bytes the server may reserve in addition to the limit: threads, and memory that is never
// touched.
const memoryBeside = 4 << 30

// boundMemory applies a memory limit, in bytes, to this process; storage decides how it is shared out. Go's heap is
// collected in time, and the system refuses what would exhaust the machine.
func boundMemory(limit int64) error {
	if limit > 0 {
		debug.SetMemoryLimit(storage.ServerMemory(limit))
	}
	return duck.BoundProcess(reserved(limit))
}

// reserved returns how many bytes the server may reserve under a limit.
func reserved(limit int64) int64 {
	bound := limit + limit/2 + memoryBeside
	if most := machineMemory() / 10 * 9; most > 0 {
		bound = min(bound, most)
	}
	return bound
}
