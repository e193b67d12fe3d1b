package main

import "rowback/storage/duck"

// machineMemory is how much memory the machine has, bytes; 0 where that can't be told.
func machineMemory() int64 { return duck.ProcMemory("/proc/meminfo", "MemTotal") }

// memoryBeside is what the server may have beside DuckDB's memory, bytes: threads, uploads, answers.
const memoryBeside = 4 << 30

// processMemory is the bound of the server's memory for a limit of DuckDB's, bytes.
func processMemory(limit int64) int64 {
	bound := limit + limit/2 + memoryBeside
	if most := machineMemory() / 10 * 9; most > 0 {
		bound = min(bound, most)
	}
	return bound
}
