package calls_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// A change that another server overtook is made again until it stands. One whose outcome is unknown, or that was
// refused for another reason, is not, nor is one whose client has no time left.
func TestAChangeIsMadeAgainWhereItWasOvertaken(t *testing.T) {
	store := open(t)
	moved := fmt.Errorf("recording: %w", catalog.ErrMoved)
	unknown := fault.Errorf(fault.Unavailable, "outcome_unknown", "Look.").Because(errors.Join(moved))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		what string
		ctx  context.Context
		errs []error
		done int
	}{
		{"the head moved", t.Context(), []error{moved, moved}, 3},
		{"the lock was lost", t.Context(), []error{catalog.ErrLockLost}, 2},
		{"the outcome is unknown", t.Context(), []error{unknown}, 1},
		{"it is not known whether it was committed", t.Context(), []error{errors.Join(catalog.ErrUncertain, moved)}, 1},
		{"it was refused", t.Context(), []error{fault.New(fault.Invalid, "no")}, 1},
		{"the time limit has passed", over, []error{moved}, 1},
	} {
		did := 0
		_, err := calls.Repeat(c.ctx, store, func() (int, error) {
			did++
			if did <= len(c.errs) {
				return 0, c.errs[did-1]
			}
			return did, nil
		})
		if did != c.done || (err == nil) != (did > len(c.errs)) {
			t.Errorf("%s: done %d times, %v", c.what, did, err)
		}
	}
}
