package access

import (
	"fmt"
	"time"
)

// WaitSeconds returns how long a client has to wait in whole seconds, at least one: as headers have it.
func WaitSeconds(wait time.Duration) int { return max(int((wait+time.Second-1)/time.Second), 1) }

// WaitText returns how long a client has to wait, for a sentence: 1 second, or 12 seconds.
func WaitText(wait time.Duration) string {
	n := WaitSeconds(wait)
	if n == 1 {
		return "1 second"
	}
	return fmt.Sprintf("%d seconds", n)
}
