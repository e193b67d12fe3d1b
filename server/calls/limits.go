package calls

import (
	"cmp"
	"time"
)

// Limits are what one call may take, whichever face it comes to. They come from the command line (--query-timeout,
// --max-upload, --max-result); the store has limits of its own for memory and disk.
type Limits struct {
	QueryTimeout time.Duration // of its work; 0: five minutes
	MaxUpload    int64         // bytes of its records, uncompressed; 0: 64 GiB
	MaxResult    int64         // bytes of a query's result; 0: 64 GiB
}

// Filled returns the limits with defaults in place of zeros.
func (l Limits) Filled() Limits {
	return Limits{
		QueryTimeout: cmp.Or(l.QueryTimeout, 5*time.Minute), MaxUpload: cmp.Or(l.MaxUpload, 64<<30),
		MaxResult: cmp.Or(l.MaxResult, 64<<30),
	}
}
