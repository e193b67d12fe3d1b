package clientsql

import (
	"context"
	"fmt"
	"sync"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fair"
	"github.com/rowback/rowback/storage/fault"
)

// How many statements of clients run at once, for reading and for commits. They share a part of the memory. Others wait
// in turn, by user (fair).
const (
	maxReaders = 4
	maxWriters = 2

	MaxSandboxes = maxReaders + maxWriters
)

// Sandboxes opens instances for clients' statements, one for each.
type Sandboxes struct {
	Pool   *duck.Pool
	limits func() duck.Limits
	guard  duck.Guard
	Reads  *fair.Queue    // the places for reading
	Writes *fair.Queue    // and for commits
	open   sync.WaitGroup // sandboxes that are open
}

// NewSandboxes returns sandboxes with limits. guard checks the files that their statements read.
func NewSandboxes(limits func() duck.Limits, guard duck.Guard) *Sandboxes {
	return &Sandboxes{
		Pool: duck.NewPool(limits), limits: limits, guard: guard,
		Reads: fair.New(maxReaders), Writes: fair.New(maxWriters),
	}
}

// Close waits until open sandboxes are closed, and ends the processes that wait for a statement.
func (b *Sandboxes) Close() {
	b.open.Wait()
	b.Pool.Close()
}

// OpenLocked opens an instance for a client's statement, locked to the given files. setup is the server's SQL, which
// creates the views that the statement names. Commits have places of their own, so that readers do not delay them.
func (b *Sandboxes) OpenLocked(ctx context.Context, commit bool, files []string, setup ...string) (*duck.Conn, error) {
	return b.OpenScope(ctx, commit, duck.Scope{Files: files, Setup: setup})
}

// OpenScope is OpenLocked for a scope, which may be kept for other statements.
func (b *Sandboxes) OpenScope(ctx context.Context, commit bool, scope duck.Scope) (*duck.Conn, error) {
	box, err := b.Open(ctx, commit)
	if err != nil {
		return nil, err
	}
	if err := box.Lock(ctx, scope); err != nil {
		box.Close()
		return nil, err
	}
	return box, nil
}

// columnBytes is roughly what each thread allocates for a column of a view, in bytes: blocks of 2,048 rows in some
// operators.
const columnBytes = 128 << 10

// Threads returns the SQL, for the setup of an instance, that limits its threads to what its memory is enough for,
// given the number of columns of its views. It is empty if there is no limit.
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

// Open opens an instance for a client's statement. The caller must lock it before the statement runs.
func (b *Sandboxes) Open(ctx context.Context, commit bool) (*duck.Conn, error) {
	places := b.Reads
	if commit {
		places = b.Writes
	}
	place, err := places.Take(ctx)
	switch {
	case err != nil:
		return nil, err
	case place == nil:
		return nil, fault.Errorf(fault.Unavailable, "busy",
			"Too many queries and conditions are running. Send the request again in a moment.")
	}
	b.open.Add(1)
	leave := func() { place.Leave(); b.open.Done() }
	box, err := b.Pool.Take(ctx)
	if err != nil {
		leave()
		return nil, NotStarted(ctx, err)
	}
	box.OnClose(leave)
	box.Guard(b.guard)
	return box, nil
}

// NotStarted returns the fault for a process that could not be started, or err if ctx has ended.
func NotStarted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return fault.Errorf(fault.Unavailable, "busy",
		"The server can't start a process for the SQL now. Send the request again in a moment.").Because(err)
}
