package storage

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"rowback/storage/duck"
)

// Clients' statements that run at once, for reading and for commits, sharing their part of the memory. Others wait, for
// as long as sandboxPatience. maxReady more instances wait for statements.
const (
	maxReaders      = 4
	maxWriters      = 2
	maxReady        = 2
	sandboxPatience = 10 * time.Second
)

// sandboxes are the instances that clients' statements run in, one each. The next ones are started while no one waits
// for them: that takes longer than a small statement.
type sandboxes struct {
	limits   func() duck.Limits
	places   [2]chan struct{} // have one for each that is open: for reading, for commits
	ready    chan *duck.Conn  // that no statement has had
	open     sync.WaitGroup   // those that have a place
	starting atomic.Bool
	started  sync.WaitGroup
}

func newSandboxes(limits func() duck.Limits) *sandboxes {
	return &sandboxes{
		limits: limits, places: [2]chan struct{}{make(chan struct{}, maxReaders), make(chan struct{}, maxWriters)},
		ready: make(chan *duck.Conn, maxReady),
	}
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
		return nil, failf(Unavailable, "busy", "Too many queries and conditions run at once. Send the request again in a moment.")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	s.sandboxes.open.Add(1)
	leave := func() { <-places; s.sandboxes.open.Done() }
	box, err := s.sandboxes.take(ctx)
	if err != nil {
		leave()
		return nil, err
	}
	box.OnClose(leave)
	return box, nil
}

// take returns an instance, and has the next ones started.
func (b *sandboxes) take(ctx context.Context) (box *duck.Conn, err error) {
	defer b.start()
	for {
		select {
		case box = <-b.ready:
			if box.Alive(ctx) {
				return box, nil
			}
			box.Close()
		default:
			return duck.Sandbox(ctx, b.limits())
		}
	}
}

// start makes sure that there are instances ready in a moment. Where one can't be started, whoever wants one next is
// told why.
func (b *sandboxes) start() {
	if !b.starting.CompareAndSwap(false, true) {
		return
	}
	b.started.Go(func() {
		defer b.starting.Store(false)
		for len(b.ready) < maxReady {
			box, err := duck.Sandbox(context.Background(), b.limits())
			if err != nil {
				return
			}
			b.ready <- box
		}
	})
}

// close ends the instances that are ready, and waits until those that statements have had are gone.
func (b *sandboxes) close() (err error) {
	b.started.Wait()
	for len(b.ready) > 0 {
		err = errors.Join(err, (<-b.ready).Close())
	}
	b.open.Wait()
	return err
}
