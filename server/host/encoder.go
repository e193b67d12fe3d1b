package host

import (
	"bufio"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// encoderWindow is how far back a zstd answer refers, in bytes. Every answer under way has that much in memory twice.
const encoderWindow = 256 << 10

// heldBack is about how many bytes of a result an encoder may hold before it passes them on.
const heldBack = 64 << 10

// encoder compresses what is written to it.
type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(to io.Writer)
}

// encoders keeps encoders for the next answers: making one takes longer than compressing a short answer.
type encoders struct{ gzip, zstd sync.Pool }

func newEncoders() *encoders {
	return &encoders{
		gzip: sync.Pool{New: func() any {
			w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails for levels that there are not
			return w
		}},
		zstd: sync.Pool{New: func() any {
			w, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
				zstd.WithWindowSize(encoderWindow), zstd.WithLowerEncoderMem(true)) // as above
			return w
		}},
	}
}

func (e *encoders) of(how string) *sync.Pool {
	if how == "zstd" {
		return &e.zstd
	}
	return &e.gzip
}

func (e *encoders) get(how string, to io.Writer) encoder {
	out := e.of(how).Get().(encoder)
	out.Reset(to)
	return out
}

func (e *encoders) put(how string, used encoder) {
	used.Reset(nil) // drops the rest of an answer that was cut
	e.of(how).Put(used)
}

// encodedResult compresses a result while it is sent, in chunks. Nothing is held back for long.
type encodedResult struct {
	encoder
	chunk *bufio.Writer
	held  int // bytes since the last flush
}

func (r *encodedResult) Write(p []byte) (int, error) {
	n, err := r.encoder.Write(p)
	if r.held += n; err != nil || r.held < heldBack {
		return n, err
	}
	r.held = 0
	if err := r.encoder.Flush(); err != nil {
		return n, err
	}
	return n, r.chunk.Flush()
}

// Close ends the compressed body. Without it, what was sent is recognised as a part.
func (r *encodedResult) Close() error {
	if err := r.encoder.Close(); err != nil {
		return err
	}
	return r.chunk.Flush()
}
