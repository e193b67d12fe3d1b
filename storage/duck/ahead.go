//go:build duckdb_arrow

package duck

import (
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
)

// chunksAhead is how many of DuckDB's chunks are read before they are asked for.
const chunksAhead = 32

// ahead reads a source while what was read before is written.
type ahead struct {
	source
	next chan step
	quit chan struct{}
	work sync.WaitGroup
}

// step is what one call of Next returned.
type step struct {
	batch arrow.RecordBatch
	err   error
}

func readAhead(s source) *ahead {
	a := &ahead{source: s, next: make(chan step, chunksAhead), quit: make(chan struct{})}
	a.work.Go(a.read)
	return a
}

func (a *ahead) read() {
	defer close(a.next)
	for {
		batch, err := a.source.Next()
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

func (a *ahead) Next() (arrow.RecordBatch, error) {
	s := <-a.next // nothing, once it is closed
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
