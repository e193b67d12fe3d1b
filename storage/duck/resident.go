//go:build duckdb_arrow

package duck

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// residentEvery is how often a working process checks its memory.
const residentEvery = 10 * time.Millisecond

// boundResident ends this process once it holds more than the given bytes of memory, until stop is called. The system's
// limit (BoundProcess) counts reserved memory, of which Go's heap uses only a part.
func boundResident(bytes int64) (stop func()) {
	if bytes <= 0 {
		return func() {}
	}
	return every(residentEvery, func() {
		if held := resident(); held > bytes {
			fmt.Fprintf(os.Stderr, "out of memory: this process holds %d bytes, and may hold %d\n", held, bytes)
			os.Exit(1)
		}
	})
}

// every calls look at intervals until stop is called.
func every(pause time.Duration, look func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		ticks := time.NewTicker(pause)
		defer ticks.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticks.C:
				look()
			}
		}
	}()
	return sync.OnceFunc(func() { close(done) })
}

// resident returns the memory that this process holds, in bytes; 0 if unknown.
func resident() int64 {
	held, _ := memoryOf("self")
	return held
}

// own returns the memory that a process shares with no other, in bytes; 0 if unknown. Shared pages, such as the program
// itself, are in memory only once.
func own(process string) int64 {
	held, shared := memoryOf(process)
	return held - shared
}

// memoryOf returns the memory that a process holds and how much of it is shared, in bytes; 0 if unknown.
func memoryOf(process string) (held, shared int64) {
	text, err := os.ReadFile("/proc/" + process + "/statm")
	if err != nil {
		return 0, 0
	}
	var size int64
	if _, err := fmt.Sscan(string(text), &size, &held, &shared); err != nil {
		return 0, 0
	}
	page := int64(os.Getpagesize())
	return held * page, shared * page
}
