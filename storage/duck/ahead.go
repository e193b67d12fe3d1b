//go:build duckdb_arrow

package duck

import (
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
)

// How many of DuckDB's chunks are read ahead at most, by number and, because chunks of long values are large, by bytes.
const (
	chunksAhead = 32
	bytesAhead  = 8 << 20 // which one chunk may exceed
)

// ahead reads from a source while earlier batches are being written.
type ahead struct {
	source
	next  chan step
	held  atomic.Int64  // bytes in next and in the batch returned last, which is still being written
	given int64         // bytes of the batch returned last
	taken chan struct{} // signalled when held has shrunk
	quit  chan struct{}
	work  sync.WaitGroup
}

// step is what one call of Next returned.
type step struct {
	batch arrow.RecordBatch
	err   error
}

// readAhead starts reading s in the background.
func readAhead(s source) *ahead {
	a := &ahead{source: s, next: make(chan step, chunksAhead), taken: make(chan struct{}, 1), quit: make(chan struct{})}
	a.work.Go(a.read)
	return a
}

func (a *ahead) read() {
	defer close(a.next)
	for a.hasRoom() {
		batch, err := a.source.Next()
		if batch != nil {
			a.held.Add(SizeOf(batch))
		}
		select {
		case a.next <- step{batch, err}:
		case <-a.quit:
			if batch != nil {
				batch.Release()
			}
			return
		}
		if batch == nil {
			return
		}
	}
}

// hasRoom waits until more may be read. It reports false when the result is closed.
func (a *ahead) hasRoom() bool {
	for a.held.Load() >= bytesAhead {
		select {
		case <-a.taken:
		case <-a.quit:
			return false
		}
	}
	return true
}

// Next returns the next batch, and thereby gives up the one before.
func (a *ahead) Next() (arrow.RecordBatch, error) {
	a.held.Add(-a.given)
	select {
	case a.taken <- struct{}{}:
	default:
	}
	s := <-a.next // the zero step once it is closed
	if a.given = 0; s.batch != nil {
		a.given = SizeOf(s.batch)
	}
	return s.batch, s.err
}

// Close stops reading ahead and releases what was not delivered.
func (a *ahead) Close() {
	close(a.quit)
	a.work.Wait()
	for s := range a.next {
		if s.batch != nil {
			s.batch.Release()
		}
	}
	a.source.Close()
}
