package main

import "syscall"

// boundMemory has the system refuse memory beyond a bound. DuckDB counts what it holds between operators, and not what a
// single value grows to: without a bound, one statement could take all that the machine has. A refusal ends the
// statement that met it.
func boundMemory(limit int64) error {
	bound := uint64(limit + limit/2 + memoryBeside)
	if most := uint64(machineMemory() / 10 * 9); most > 0 {
		bound = min(bound, most)
	}
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_DATA, &r); err != nil {
		return err
	}
	r.Cur = min(r.Max, bound)
	return syscall.Setrlimit(syscall.RLIMIT_DATA, &r)
}

// memoryBeside is what the server may have beside DuckDB's memory, bytes: threads, uploads, answers.
const memoryBeside = 4 << 30
