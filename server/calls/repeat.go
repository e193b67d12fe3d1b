package calls

import (
	"context"
	"time"

	"github.com/rowback/rowback/storage"
)

// A change that another server has overtaken is made again at most so often, after a wait that doubles from the first
// to the longest: for some ten seconds in all, which is how long a server that stands still holds others up.
const (
	mostRepeats = 24
	firstWait   = 5 * time.Millisecond
	longestWait = 500 * time.Millisecond
)

// Repeat makes a change, and makes it again where another server overtook it, until the request's time is over: the
// client would only send it again. One that expects a certain head is refused by what the other server did.
func Repeat[T any](ctx context.Context, store *storage.Store, do func() (T, error)) (result T, err error) {
	wait := firstWait
	for range mostRepeats {
		if result, err = do(); err == nil || !store.IsOvertaken(err) {
			return result, err
		}
		select {
		case <-ctx.Done():
			return result, err
		case <-time.After(wait):
		}
		wait = min(2*wait, longestWait)
	}
	return result, err
}
