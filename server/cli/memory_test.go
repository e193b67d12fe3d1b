package cli

import (
	"runtime"
	"testing"
)

// The Go runtime has room for garbage beside what is in use, whatever its share of the server's memory is.
func TestTheHeapHasRoom(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		heap        heap
		share, want int64
	}{
		{heap{live: 10 * mb, beside: 8 * mb}, 50 * mb, 50 * mb},
		{heap{live: 28 * mb, beside: 8 * mb}, 50 * mb, 50 * mb},
		{heap{live: 32 * mb, beside: 16 * mb}, 50 * mb, 64 * mb},
		{heap{live: 300 * mb, beside: 20 * mb}, 200 * mb, 470 * mb},
	} {
		if got := c.heap.limit(c.share); got != c.want {
			t.Errorf("%+v with a share of %d: %d, not %d", c.heap, c.share, got, c.want)
		}
	}
}

// What is in use counts as that, and what the runtime needs for itself is told apart from it.
func TestWhatIsInUseIsKnown(t *testing.T) {
	const bytes = 40 << 20
	held := make([]byte, bytes)
	runtime.GC()
	now := heapNow()
	runtime.KeepAlive(held)
	if now.live < bytes || now.beside <= 0 || now.beside > now.live+bytes {
		t.Errorf("%+v with %d bytes in use", now, bytes)
	}
}
