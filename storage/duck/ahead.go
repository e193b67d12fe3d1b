//go:build duckdb_arrow

package duck

import (
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
)

// How many of DuckDB's chunks are read before they are asked for, at most: by their number, and by their bytes, as chunks
// of long values are large.
const (
	chunksAhead = 32
	bytesAhead  = 8 << 20 // and one chunk
)

// ahead reads a source while what was read before is written.
type ahead struct {
	source
	next  chan step
	held  atomic.Int64  // bytes in next, and of the batch that was given last: it is still being written
	given int64         // bytes of that one
	taken chan struct{} // told when they have become less
	quit  chan struct{}
	work  sync.WaitGroup
}

// step is what one call of Next returned.
type step struct {
	batch arrow.RecordBatch
	err   error
}

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

// hasRoom waits until more may be read; not for ever, if nothing more is wanted.
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

func (a *ahead) Next() (arrow.RecordBatch, error) {
	a.held.Add(-a.given)
	select {
	case a.taken <- struct{}{}:
	default:
	}
	s := <-a.next // nothing, once it is closed
	if a.given = 0; s.batch != nil {
		a.given = SizeOf(s.batch)
	}
	return s.batch, s.err
}

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
