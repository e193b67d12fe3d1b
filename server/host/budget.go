package host

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// Bodies that are read whole stay in memory until their request is answered: together, at most this many bytes. The
// first part of each does not count, so that small requests always go through.
const (
	// Records are streamed to files and do not count.
	maxHeld  = 256 << 20
	freeHeld = 64 << 10
)

var errBusy = &Refusal{
	http.StatusServiceUnavailable, "too_many_bodies",
	"The server has no memory left for another large body. Try again in a moment.", 5 * time.Second,
}

// held is the memory that the body of one request uses.
type held struct {
	all  *atomic.Int64 // used by all requests together
	mine int64
}

// take reserves more memory, or returns errBusy.
func (h *held) take(bytes int64) error {
	if h.all.Add(bytes) > maxHeld {
		h.all.Add(-bytes)
		return errBusy
	}
	h.mine += bytes
	return nil
}

// release frees it, when the request has been answered.
func (h *held) release() {
	h.all.Add(-h.mine)
	h.mine = 0
}

// metered is a body that reserves memory as it arrives.
type metered struct {
	from io.Reader
	held *held
	read int64
}

// Read reads the body and reserves what it has read beyond freeHeld. Without room it ends with errBusy, which asks the
// client to come again.
func (m *metered) Read(p []byte) (int, error) {
	n, err := m.from.Read(p)
	m.read += int64(n)
	if over := min(m.read-freeHeld, int64(n)); over > 0 {
		if err := m.held.take(over); err != nil {
			return 0, err
		}
	}
	return n, err
}
