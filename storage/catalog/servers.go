package catalog

import (
	"context"
	"time"
)

// Server is a process that has the catalog open.
type Server struct {
	ID    int64     // of this opening: a process that opens the catalog again has another
	Name  string    // for people
	Since time.Time // when it opened the catalog
}

// Server returns the number of this opening of the catalog. No other opening, before or after, has it: what a server
// answers for, such as a job, names it by that.
func (c *Catalog) Server() int64 { return c.server }

// Duties are what one of several servers does for all, by their names.
func Duties() []string {
	return []string{"backup", "bucket", "scrub", "upkeep", "uploads", "vacuum", "webhooks"}
}

// DutyLock is the name of the lock that the server holds which has a duty.
func DutyLock(name string) string { return "duty\x00" + name }

// Servers lists the servers that have the catalog open now, this one included. What another one answers for is given up
// once that is not among them.
func (c *Catalog) Servers(ctx context.Context) ([]Server, error) {
	list, err := c.in.servers(ctx)
	if err == nil && list == nil {
		list = []Server{{ID: c.server, Since: time.UnixMicro(c.server).UTC()}}
	}
	return list, err
}
