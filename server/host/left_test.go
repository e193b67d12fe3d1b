package host

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Work goes on for a while after its client has closed the connection, and then ends; it is not ended for a client that
// stays, nor once it is done.
func TestWorkEndsAWhileAfterItsClientHasGone(t *testing.T) {
	for name, one := range map[string]struct {
		leaves, done time.Duration // 0: never
		ends         time.Duration // 0: it is not ended
	}{
		"leaves":               {leaves: time.Second, ends: 11 * time.Second},
		"stays":                {done: time.Hour},
		"done before it":       {done: 3 * time.Second, leaves: 5 * time.Second},
		"done in the meantime": {leaves: time.Second, done: 10 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			began := time.Now()
			left := func() bool { return one.leaves > 0 && time.Since(began) >= one.leaves }
			if one.done > 0 {
				time.AfterFunc(one.done, cancel)
			}
			var ended time.Duration
			whenLeft(ctx, left, 250*time.Millisecond, 10*time.Second, func() { ended = time.Since(began) })
			if ended != one.ends {
				t.Errorf("%s: ended after %v, not %v", name, ended, one.ends)
			}
		})
	}
}
