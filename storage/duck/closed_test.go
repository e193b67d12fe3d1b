//go:build duckdb_arrow

package duck

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// watched is a stream of many batches that takes its time for each, and notices when it is read after it was freed.
type watched struct {
	batch     arrow.RecordBatch
	reading   atomic.Int64
	count     int64
	freed     atomic.Bool
	readLater atomic.Bool
}

func (e *watched) Schema() *arrow.Schema          { return numbered }
func (e *watched) RecordBatch() arrow.RecordBatch { return e.batch }
func (e *watched) Record() arrow.RecordBatch      { return e.batch }
func (e *watched) Err() error                     { return nil }
func (e *watched) Retain()                        {}
func (e *watched) Release()                       {}

func (e *watched) Next() bool {
	e.reading.Add(1)
	defer e.reading.Add(-1)
	time.Sleep(50 * time.Microsecond)
	if e.freed.Load() {
		e.readLater.Store(true)
	}
	e.count++
	return e.count <= 200 // more than DuckDB buffers
}

// TestNothingReadsAStreamAfterItsResult closes results before their end, as Few does with those that are too large.
// DuckDB's threads go on computing such a result. The stream that they read must not be freed under them.
func TestNothingReadsAStreamAfterItsResult(t *testing.T) {
	engine, err := Open(Limits{Threads: 2, Memory: 512 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	conn, err := engine.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 20 {
		e := &watched{batch: batch(0, 2048)}
		release, err := conn.View(t.Context(), "watched", e)
		if err != nil {
			t.Fatal(err)
		}
		result, err := conn.session.(*local).chunks(t.Context(), "SELECT n FROM watched", nil)
		if err != nil {
			t.Fatal(err)
		}
		first, err := result.Next()
		if err != nil {
			t.Fatal(err)
		}
		first.Release()
		result.Close()
		if e.reading.Load() > 0 {
			t.Fatal("the stream is still read after the result was closed")
		}
		e.freed.Store(true)
		release()
		time.Sleep(2 * time.Millisecond)
		if e.readLater.Load() {
			t.Fatal("the stream was read after the result was closed")
		}
	}
}
