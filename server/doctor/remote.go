package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datadir"
)

// remoteTime is how long a database or a bucket may take to answer.
const remoteTime = 20 * time.Second

// clocksApart is how far the clocks of a database and of this machine may be apart before that is worth a warning.
const clocksApart = 30 * time.Second

// database looks at a catalog in PostgreSQL, and at which servers have it open.
func (e *exam) database(ctx context.Context) {
	if e.Catalog == "" {
		e.ok("catalog", "it is in PostgreSQL: name it with --catalog postgres://…, and it is looked at")
		return
	}
	ctx, done := context.WithTimeout(ctx, remoteTime)
	defer done()
	look, err := catalog.LookPostgres(ctx, e.Catalog)
	switch {
	case errors.Is(err, catalog.ErrNoCatalog):
		e.add("catalog", Warning, "Name the database that the server names, or start it: it makes the catalog from the objects.",
			"the database has no catalog")
		return
	case err != nil:
		e.add("catalog", Failed, "Check the database, the network and the password.", "%s",
			strings.Join(strings.Fields(err.Error()), " ")) // the driver lists its attempts on lines
		return
	case look.Refused != nil:
		e.add("catalog", Failed, "Run a newer version of the program.", "%v", look.Refused)
	case look.Has < look.Knows:
		e.add("catalog", Warning, "Start the server: it upgrades the catalog.",
			"it has version %d, and this program makes it %d", look.Has, look.Knows)
	default:
		e.ok("catalog", "PostgreSQL answers within %s, version %d", look.Took.Round(100*time.Microsecond), look.Has)
	}
	if look.Ahead.Abs() > clocksApart {
		e.add("database clock", Warning, "Have both machines take their time from the network.",
			"it is %s apart from this machine's", look.Ahead.Abs().Round(time.Second))
	}
	e.connections(look)
	e.servers(look)
}

// connections compares what the servers may take with what the database gives.
func (e *exam) connections(look catalog.Look) {
	each := catalog.Readers(e.Catalog) + 1 + settings.Connections
	may := int64(each * max(len(look.Servers), 1))
	if may > look.Most {
		e.add("connections", Warning, "Raise max_connections of PostgreSQL, or give each server fewer: pool_max_conns in the "+
			"URL of --catalog.", "%d of %d are in use; %d servers may take %d",
			look.Connections, look.Most, max(len(look.Servers), 1), may)
		return
	}
	e.ok("connections", "%d of %d are in use; a server takes up to %d", look.Connections, look.Most, each)
}

// servers names those that have the store open, with what each does for all, and says what is left to do.
func (e *exam) servers(look catalog.Look) {
	all := look.Servers
	if len(all) == 0 {
		e.ok("servers", "no server has the catalog open")
		return
	}
	var names []string
	for _, s := range all {
		does := ""
		for _, d := range look.Duties {
			if d.Server == s.ID {
				does += ", " + d.Name
			}
		}
		names = append(names, fmt.Sprintf("%s (since %s%s)", s.Name, s.Since.Format(time.RFC3339), does))
	}
	e.ok("servers", "%d have the catalog open: %s", len(all), strings.Join(names, "; "))
	if look.Owed > 0 {
		e.add("bucket", Warning, "Nothing has to be done once the object store answers: a server makes them then.",
			"%d changes of the object store could not be made yet", look.Owed)
	}
	if look.Unfinished > 0 {
		e.ok("jobs", "%d are of servers that have ended: others fail them within half a minute", look.Unfinished)
	}
}

// objects looks at the bucket that has the objects.
func (e *exam) objects(ctx context.Context, marker datadir.Marker) {
	if marker.Objects == nil || e.Bucket == nil {
		return
	}
	const remedy = "Check the object store, the network and the credentials: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY."
	ctx, done := context.WithTimeout(ctx, remoteTime)
	defer done()
	began := time.Now()
	id, err := e.Bucket(ctx)
	took := time.Since(began)
	switch {
	case err != nil:
		e.add("objects", Failed, remedy, "%s: %v", marker.Objects.URL, err)
	case id != marker.ID:
		e.add("objects", Failed, "Name the data directory of that store, or put the bucket back.",
			"%s has the objects of another store (%s)", marker.Objects.URL, id)
	default:
		e.ok("objects", "%s answers within %s", marker.Objects.URL, took.Round(100*time.Microsecond))
	}
}
