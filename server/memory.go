package main

import (
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"rowback/storage"
	"rowback/storage/duck"
)

// machineMemory is how much memory there is for this process, bytes: the machine's, or what its cgroup may have of that;
// 0 where neither can be told.
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

// memoryBeside is what the server may reserve beside the limit, bytes: threads, and what is never touched.
const memoryBeside = 4 << 30

// boundMemory bounds this process for a memory limit, bytes, of which storage says who gets what: Go's heap is collected
// in time, and the system refuses what would take the machine down.
func boundMemory(limit int64) error {
	if limit > 0 {
		debug.SetMemoryLimit(storage.ServerMemory(limit))
	}
	return duck.BoundProcess(reserved(limit))
}

// reserved is how much memory the server may reserve for a limit, bytes.
func reserved(limit int64) int64 {
	bound := limit + limit/2 + memoryBeside
	if most := machineMemory() / 10 * 9; most > 0 {
		bound = min(bound, most)
	}
	return bound
}
