package storage

import (
	"context"
	"sync"
	"time"

	"rowback/storage/clientsql"
	"rowback/storage/duck"
	"rowback/storage/fault"
	"rowback/storage/intake"
)

// readers are the processes that read uploads. There are so many that their bounds together are what the memory limit
// has for uploads; an upload waits for one as long as a query does for a sandbox.
type readers struct {
	pool   *duck.Pool
	places chan struct{}  // has one for each that is lent
	lent   sync.WaitGroup // those
}

func newReaders(places int, limits func() duck.Limits) *readers {
	return &readers{pool: duck.NewKeptPool(intake.ReaderName, places, limits), places: make(chan struct{}, places)}
}

// ExpectUploads has a process for the first upload started in the background.
func (s *Store) ExpectUploads() { s.readers.pool.Fill() }

// take lends a reader process.
func (r *readers) take(ctx context.Context) (*duck.Conn, error) {
	patience := time.NewTimer(clientsql.Patience)
	defer patience.Stop()
	select {
	case r.places <- struct{}{}:
	case <-patience.C:
		return nil, fault.Errorf(fault.Unavailable, "busy",
			"Too many uploads are read at once. Send the request again in a moment.")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	r.lent.Add(1)
	leave := func() { <-r.places; r.lent.Done() }
	conn, err := r.pool.Take(ctx)
	if err != nil {
		leave()
		return nil, clientsql.NotStarted(ctx, err)
	}
	conn.OnClose(leave)
	return conn, nil
}

// close waits until what uploads have had is given back, and ends the processes.
func (r *readers) close() {
	r.lent.Wait()
	r.pool.Close()
}
