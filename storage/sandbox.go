package storage

import (
	"context"
	"sync"
	"time"

	"rowback/storage/duck"
	"rowback/storage/fault"
)

// Clients' statements that run at once, for reading and for commits, sharing their part of the memory. Others wait, for
// as long as sandboxPatience.
const (
	maxReaders      = 4
	maxWriters      = 2
	sandboxPatience = 10 * time.Second
)

// sandboxes are the instances that clients' statements run in, one each.
type sandboxes struct {
	pool   *duck.Pool
	places [2]chan struct{} // have one for each that is open: for reading, for commits
	open   sync.WaitGroup   // those that have a place
}

func newSandboxes(limits func() duck.Limits) *sandboxes {
	return &sandboxes{pool: duck.NewPool(limits), places: [2]chan struct{}{make(chan struct{}, maxReaders), make(chan struct{}, maxWriters)}}
}

// close waits until those that statements have had are gone, and ends the others.
func (b *sandboxes) close() {
	b.open.Wait()
	b.pool.Close()
}

// Sandbox opens an instance for a client's statement: it can touch these files and nothing else. setup is ours and
// makes the views that the statement names. Commits have places of their own, so that no reader keeps them waiting.
func (s *Store) Sandbox(ctx context.Context, commit bool, files []string, setup ...string) (*duck.Conn, error) {
	box, err := s.OpenSandbox(ctx, commit)
	if err != nil {
		return nil, err
	}
	if err := box.Lock(ctx, files, setup...); err != nil {
		box.Close()
		return nil, err
	}
	return box, nil
}

// OpenSandbox opens an instance for a client's statement, which may not run there before the instance is locked.
func (s *Store) OpenSandbox(ctx context.Context, commit bool) (*duck.Conn, error) {
	places := s.sandboxes.places[0]
	if commit {
		places = s.sandboxes.places[1]
	}
	patience := time.NewTimer(sandboxPatience)
	defer patience.Stop()
	select {
	case places <- struct{}{}:
	case <-patience.C:
		return nil, fault.Errorf(fault.Unavailable, "busy", "Too many queries and conditions run at once. Send the request again in a moment.")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	s.sandboxes.open.Add(1)
	leave := func() { <-places; s.sandboxes.open.Done() }
	box, err := s.sandboxes.pool.Take(ctx)
	if err != nil {
		leave()
		return nil, notStarted(ctx, err)
	}
	box.OnClose(leave)
	box.Guard(guard{s})
	return box, nil
}

// notStarted says what to do where the system gives no process, unless ctx has ended.
func notStarted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	e := fault.Errorf(fault.Unavailable, "busy", "The server can't start a process for the SQL now. Send the request again in a moment.")
	e.Cause = err
	return e
}
