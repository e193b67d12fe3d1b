package clientsql

import (
	"context"
	"fmt"
	"sync"
	"time"

	"rowback/storage/duck"
	"rowback/storage/fault"
)

// Clients' statements that run at once, for reading and for commits, sharing their part of the memory. Others wait, for
// as long as Patience.
const (
	maxReaders = 4
	maxWriters = 2

	MaxSandboxes = maxReaders + maxWriters
	Patience     = 10 * time.Second
)

// Sandboxes are the instances that clients' statements run in, one each.
type Sandboxes struct {
	Pool   *duck.Pool
	limits func() duck.Limits
	guard  duck.Guard
	places [2]chan struct{} // have one for each that is open: for reading, for commits
	open   sync.WaitGroup   // those that have a place
}

// NewSandboxes makes sandboxes with limits. guard is asked about the files that their statements read.
func NewSandboxes(limits func() duck.Limits, guard duck.Guard) *Sandboxes {
	places := [2]chan struct{}{make(chan struct{}, maxReaders), make(chan struct{}, maxWriters)}
	return &Sandboxes{Pool: duck.NewPool(limits), limits: limits, guard: guard, places: places}
}

// Close waits until those that statements have had are gone, and ends the others.
func (b *Sandboxes) Close() {
	b.open.Wait()
	b.Pool.Close()
}

// OpenLocked opens an instance for a client's statement: it can touch these files and nothing else. setup is ours and
// makes the views that the statement names. Commits have places of their own, so that no reader keeps them waiting.
func (b *Sandboxes) OpenLocked(ctx context.Context, commit bool, files []string, setup ...string) (*duck.Conn, error) {
	box, err := b.Open(ctx, commit)
	if err != nil {
		return nil, err
	}
	if err := box.Lock(ctx, files, setup...); err != nil {
		box.Close()
		return nil, err
	}
	return box, nil
}

// columnBytes is about what each thread keeps for a column of a view, bytes: blocks of 2,048 rows in some operators.
const columnBytes = 128 << 10

// Threads is the SQL that has an instance use no more threads than its memory is enough for, with views of so many
// columns. It is for the setup of an instance.
func (b *Sandboxes) Threads(columns int) string {
	limits := b.limits()
	threads := int64(limits.Threads)
	if fit := limits.Memory / columnBytes / int64(max(columns, 1)); limits.Memory > 0 && fit < threads {
		threads = max(fit, 1)
	}
	if threads == 0 {
		return ""
	}
	return fmt.Sprintf("SET threads = %d", threads)
}

// Open opens an instance for a client's statement, which may not run there before the instance is locked.
func (b *Sandboxes) Open(ctx context.Context, commit bool) (*duck.Conn, error) {
	places := b.places[0]
	if commit {
		places = b.places[1]
	}
	patience := time.NewTimer(Patience)
	defer patience.Stop()
	select {
	case places <- struct{}{}:
	case <-patience.C:
		return nil, fault.Errorf(fault.Unavailable, "busy",
			"Too many queries and conditions run at once. Send the request again in a moment.")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	b.open.Add(1)
	leave := func() { <-places; b.open.Done() }
	box, err := b.Pool.Take(ctx)
	if err != nil {
		leave()
		return nil, NotStarted(ctx, err)
	}
	box.OnClose(leave)
	box.Guard(b.guard)
	return box, nil
}

// NotStarted says what to do where the system gives no process, unless ctx has ended.
func NotStarted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return fault.Errorf(fault.Unavailable, "busy",
		"The server can't start a process for the SQL now. Send the request again in a moment.").Because(err)
}
