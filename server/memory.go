package main

import (
	"bufio"
	"fmt"
	"os"
)

// machineMemory is how much memory the machine has, bytes; 0 where that can't be told.
func machineMemory() int64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var kib int64
		if _, err := fmt.Sscanf(lines.Text(), "MemTotal: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 0
}

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
