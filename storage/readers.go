package storage

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fair"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
)

// Readers are the processes that read uploads. There are so many that their bounds together are what the memory limit
// has for uploads; an upload waits for one as long as a query does for a sandbox.
type Readers struct {
	*journal
	limits func() duck.Limits // of one process
	pool   *duck.Pool
	Places *fair.Queue
	lent   sync.WaitGroup // those that are lent
	failed atomic.Bool    // the last process could not be started
}

// newReaders returns the readers, of which none is started yet.
func newReaders(j *journal, b budget) *Readers {
	return &Readers{
		journal: j, limits: b.reader, pool: duck.NewKeptPool(intake.ReaderName, b.readers(), b.reader),
		Places: fair.New(b.readers()),
	}
}

// Expect has a process for the first upload started in the background. The first upload then does not wait for a
// process to start.
func (r *Readers) Expect() { r.pool.Fill() }

// take lends a reader process.
func (r *Readers) take(ctx context.Context) (*duck.Conn, error) {
	place, err := r.Places.Take(ctx)
	switch {
	case err != nil:
		return nil, err
	case place == nil:
		return nil, fault.Errorf(fault.Unavailable, "busy",
			"Too many uploads are read at once. Send the request again in a moment.")
	}
	// Counted, since closing waits for them: a process that is killed in a commit would fail it.
	r.lent.Add(1)
	leave := func() { place.Leave(); r.lent.Done() }
	conn, err := r.pool.Take(ctx)
	r.failed.Store(err != nil && ctx.Err() == nil)
	if err != nil {
		leave()
		return nil, clientsql.NotStarted(ctx, err)
	}
	conn.OnClose(leave)
	return conn, nil
}

// close waits until what uploads have had is given back, and ends the processes.
func (r *Readers) close() {
	r.lent.Wait()
	r.pool.Close()
}
