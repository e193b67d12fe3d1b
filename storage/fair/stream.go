package fair

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rowback/rowback/storage/fault"
)

// Keys of the values in a context.
type (
	userKey   struct{}
	streamKey struct{}
)

// With returns a context for work on behalf of a user. Empty: the user has no name.
func With(ctx context.Context, user string) context.Context {
	return context.WithValue(ctx, userKey{}, user)
}

// User returns on whose behalf work is done.
func User(ctx context.Context) string {
	user, _ := ctx.Value(userKey{}).(string)
	return user
}

// Stream is a result that a client reads while its statement runs.
type Stream struct {
	end   context.CancelCauseFunc
	since atomic.Int64 // when it began to wait for the client, in nanoseconds since 1970; 0: it does not wait
}

// ErrStalled ends a statement whose client does not read.
var ErrStalled = &fault.Error{
	Kind: fault.Unavailable, Code: "client_stalled",
	Detail: "The result was not read for some seconds while others waited for a place. " +
		"Read it as it comes, or save it to a file first.",
}

// WithStream returns a context for the statement of a result, and the result. end ends the statement.
func WithStream(ctx context.Context, end context.CancelCauseFunc) (context.Context, *Stream) {
	s := &Stream{end: end}
	return context.WithValue(ctx, streamKey{}, s), s
}

func streamOf(ctx context.Context) *Stream {
	s, _ := ctx.Value(streamKey{}).(*Stream)
	return s
}

// Send runs a step that ends when the client has taken a part of the result. Without a stream, it only runs it.
func (s *Stream) Send(step func() error) error {
	if s == nil {
		return step()
	}
	s.since.Store(time.Now().UnixNano())
	defer s.since.Store(0)
	return step()
}

// waits returns how long it has waited for the client.
func (s *Stream) waits(now time.Time) time.Duration {
	since := s.since.Load()
	if since == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, since))
}

// endStalled ends statements whose clients do not read, as many as there are requests that wait. Those of the user who
// holds the most go first, and among them the one that has waited the longest.
func (q *Queue) endStalled() {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for q.leaving < q.waiting {
		var worst *Place
		for p := range q.held {
			if p.ended || p.stream == nil || p.stream.waits(now) < q.Stall {
				continue
			}
			if worst == nil || p.user.held > worst.user.held ||
				p.user.held == worst.user.held && p.stream.waits(now) > worst.stream.waits(now) {
				worst = p
			}
		}
		if worst == nil {
			return
		}
		worst.ended = true
		q.leaving++
		q.counts.Stalled++
		worst.stream.end(ErrStalled)
	}
}
