package host

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// Bodies that are read whole hold memory until their request is answered: all of them together this much, bytes. The
// first part of each is free, so that small requests always go through.
const (
	maxHeld  = 256 << 20
	freeHeld = 64 << 10
)

var errBusy = &Refusal{http.StatusServiceUnavailable, "too_many_bodies", "The server is reading as many large bodies as it has memory for. Try again in a moment.", 5 * time.Second}

// held is what the body of one request holds.
type held struct {
	all  *atomic.Int64 // what every request holds
	mine int64
}

// take holds more memory, or refuses to.
func (h *held) take(bytes int64) error {
	if h.all.Add(bytes) > maxHeld {
		h.all.Add(-bytes)
		return errBusy
	}
	h.mine += bytes
	return nil
}

func (h *held) release() {
	h.all.Add(-h.mine)
	h.mine = 0
}

// metered is a body that holds memory as it comes.
type metered struct {
	from io.Reader
	held *held
	read int64
}

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
