package storage

import (
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// The largest limits that a retention policy can have.
const (
	maxKeptCommits = 1_000_000_000
	maxKeptDays    = 36_500
)

// checkRetention refuses a policy that can't be meant.
func checkRetention(r *catalog.Retention) error {
	refuse := func(field, format string, args ...any) error {
		return fault.Errorf(fault.Invalid, "invalid_field", "retention: "+format, args...).With("field", field)
	}
	switch {
	case r == nil:
		return nil
	case !r.IsLimited() && !(r.Versions && r.Savepoints && r.Tags):
		return refuse("retention", "without commits and days, everything is kept. Say how many commits or days to keep; "+
			"0 keeps the head and what names states.")
	case r.Commits != nil && (*r.Commits < 0 || *r.Commits > maxKeptCommits):
		return refuse("retention.commits", "commits is %d. Send a number from 0 to %d.", *r.Commits, maxKeptCommits)
	case r.Days != nil && (*r.Days < 0 || *r.Days > maxKeptDays):
		return refuse("retention.days", "days is %d. Send a number from 0 to %d.", *r.Days, maxKeptDays)
	}
	return nil
}

// limited returns the policy, or nil if it keeps everything.
func limited(r *catalog.Retention) *catalog.Retention {
	if !r.IsLimited() {
		return nil
	}
	return r
}
