//go:build duckdb_arrow

package duck

import (
	"fmt"
	"os"
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
	done := make(chan struct{})
	go func() {
		look := time.NewTicker(residentEvery)
		defer look.Stop()
		for {
			select {
			case <-done:
				return
			case <-look.C:
			}
			if held := resident(); held > bytes {
				fmt.Fprintf(os.Stderr, "out of memory: this process holds %d bytes, and may hold %d\n", held, bytes)
				os.Exit(1)
			}
		}
	}()
	return func() { close(done) }
}

// resident is how much memory this process holds, bytes; 0 where that can't be told.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
