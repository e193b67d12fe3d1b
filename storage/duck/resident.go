//go:build duckdb_arrow

package duck

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

// residentEvery is how often a process that is at something looks at what it holds.
const residentEvery = 10 * time.Millisecond

// boundResident ends this process as soon as it holds more memory than so many bytes, until stop is called. The system's
// own bound (BoundProcess) counts what is reserved, and not what Go's heap takes of that.
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

// every looks again and again, until stop is called.
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

// resident is how much memory this process holds, bytes; 0 where that can't be told.
func resident() int64 {
	held, _ := memoryOf("self")
	return held
}

// own is how much memory a process holds that it shares with no other, bytes: the program itself is there once. It is 0
// where that can't be told.
func own(pid int) int64 {
	held, shared := memoryOf(strconv.Itoa(pid))
	return held - shared
}

// memoryOf is how much memory a process holds, and how much of that it shares, bytes; 0 where that can't be told.
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
