package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datadir"
	"github.com/rowback/rowback/storage/fault"
)

// The catalog is in the data directory or in a PostgreSQL database. Where it is stands in store.json, so that a server
// that is told nothing, or another place, does not go on with an older one. Either place can be left for the other: the
// start brings the catalog there up to date with the objects.

// EmbeddedCatalog as Options.Catalog has the catalog in the data directory, wherever it was before.
const EmbeddedCatalog = "embedded"

// errCatalogElsewhere is for a store whose catalog is in a database that was not named.
var errCatalogElsewhere = errors.New("the catalog of this store is in PostgreSQL: name the database with --catalog " +
	"postgres://…; or, with --catalog embedded, have the catalog made anew from the objects, in the data directory")

// isRemote reports whether the catalog is in a database.
func (d *directory) isRemote() (bool, error) {
	switch {
	case d.remote == "" && d.marker.Catalog != "":
		return false, errCatalogElsewhere
	case d.remote == "", d.remote == EmbeddedCatalog:
		return false, nil
	case !strings.HasPrefix(d.remote, "postgres://") && !strings.HasPrefix(d.remote, "postgresql://"):
		return false, errors.New("--catalog takes the URL of a PostgreSQL database, such as " +
			"postgres://rowback@db.example.org/rowback, or the word embedded")
	}
	return true, nil
}

// claimOrWait is claim; where another process has the directory open, it waits for that to end if that is wanted.
func (d *directory) claimOrWait(ctx context.Context) error {
	for told := false; ; told = true {
		err := d.claim(ctx)
		if !errors.Is(err, ErrInUse) || d.waiting == nil {
			return err
		}
		if !told {
			d.waiting(err)
		}
		if err := sleep(ctx, waitBetween); err != nil {
			return err
		}
	}
}

const waitBetween = 300 * time.Millisecond

// takeCatalog opens the catalog that is in PostgreSQL, if it is, and no other server has it.
func (d *directory) takeCatalog(ctx context.Context) error {
	isRemote, err := d.isRemote()
	if err == nil && d.there {
		err = d.isThere(isRemote)
	}
	if err != nil || !isRemote || d.catalog != nil {
		return err
	}
	d.catalog, err = catalog.OpenPostgres(ctx, d.remote, catalog.PostgresOptions{
		Server: d.server, Hook: d.catalogHook, Waiting: d.waiting, Existing: d.there, Alone: d.there, Starting: true,
	})
	if errors.Is(err, catalog.ErrNoCatalog) {
		return fmt.Errorf("%w. Name the database that the server of this store names with --catalog", err)
	}
	if errors.Is(err, catalog.ErrTaken) {
		remedy := "Wait until it has ended, or start this one with --standby: it waits"
		if d.there {
			remedy = "Stop it"
		}
		return inUse{fmt.Errorf("%w. %s", err, remedy)}
	}
	return err
}

// inUse is an ErrInUse of what other servers have that is not the directory.
type inUse struct{ error }

// Unwrap returns the error, and ErrInUse.
func (e inUse) Unwrap() []error { return []error{e.error, ErrInUse} }

// isThere refuses to move the catalog to another place.
func (d *directory) isThere(isRemote bool) error {
	switch {
	case isRemote && d.marker.Catalog == "":
		return errors.New("the catalog of this store is in its data directory, and not in PostgreSQL: leave out --catalog")
	case !isRemote && d.marker.Catalog != "":
		return errCatalogElsewhere
	}
	return nil
}

// openRemote opens the catalog in PostgreSQL.
func (d *directory) openRemote(ctx context.Context) error {
	if err := d.takeCatalog(ctx); err != nil {
		return err
	}
	what, err := d.catalog.Damage(ctx)
	if err == nil && what != "" {
		err = fmt.Errorf("the catalog in PostgreSQL contradicts itself: %s. Name another, empty schema or database: "+
			"the catalog is made anew there from the objects", what)
	}
	if err != nil {
		return err
	}
	// What PostgreSQL notes of the directories it has: it is as it was at one moment, whatever copy of it that is.
	// What was noted of the catalog in the directory says nothing of this one.
	d.vouched, d.last = true, datadir.Closed{}
	return d.knowStore(ctx)
}

// markCatalog notes in store.json where the catalog is, once all is in it.
func (d *directory) markCatalog() error {
	place := ""
	if isRemote, err := d.isRemote(); err != nil || isRemote {
		place = datadir.PostgresCatalog
	}
	if place == d.marker.Catalog {
		return nil
	}
	d.marker.Catalog = place
	return datadir.Write(d.path, d.marker, d.hook)
}

// foreign refuses the catalog of another store.
func (d *directory) foreign(id, own string) error {
	if isRemote, err := d.isRemote(); err == nil && isRemote {
		return fmt.Errorf("the catalog in PostgreSQL belongs to another store (%s; this one is %s). Name this store's "+
			"own, or an empty schema or database: the catalog is made anew there from the objects", id, own)
	}
	return fmt.Errorf("%s belongs to another store (%s; this one is %s). Put this store's own back, "+
		"or move it away: then it is made anew from the objects", datadir.CatalogFile, id, own)
}

// copyTo copies the catalog, wherever it is, to a file.
func (d *directory) copyTo(ctx context.Context, path string) error {
	isRemote, err := d.isRemote()
	if err != nil {
		return err
	}
	if isRemote {
		return catalog.CopyPostgres(ctx, d.remote, path)
	}
	return catalog.Copy(d.catalogPath(), path)
}

// isCatalogWritable reports why nothing can be recorded in the catalog.
func (d *directory) isCatalogWritable(ctx context.Context) error {
	if d.marker.Catalog == "" {
		return blob.Writable(d.catalogPath())
	}
	if err := d.catalog.Holds(ctx); err != nil {
		return catalogFault(err)
	}
	return nil
}

// usageTime is how long it may take to find out how much a catalog takes.
const usageTime = time.Second

// catalogBytes returns how much the catalog takes, and the log beside it. What can't be looked at counts as nothing.
func (d *directory) catalogBytes() (index, log int64) {
	if d.marker.Catalog == "" {
		return d.blobs.SizeBeside(datadir.CatalogFile), d.blobs.SizeBeside(datadir.CatalogFile + "-wal")
	}
	ctx, cancel := context.WithTimeout(context.Background(), usageTime)
	defer cancel()
	index, _ = d.catalog.Bytes(ctx)
	return index, 0
}

// recordingTime is how long a commit that is published waits for the catalog's database to come back.
const recordingTime = 20 * time.Second

// untilRecorded records what is published. Where the database is cut off, nothing of it is there: it is recorded again
// until the database is back. It stays published if that takes too long, or another server has the store: whether that
// one found it is not known then.
func (j *journal) untilRecorded(ctx context.Context, record func(catalog.Tx) error) error {
	until := time.Now().Add(recordingTime)
	for {
		err := j.catalog.Write(ctx, record)
		if !catalog.IsUnavailable(err) || errors.Is(err, catalog.ErrUncertain) || catalog.IsLost(err) {
			return err
		}
		if time.Now().After(until) {
			return errors.Join(catalog.ErrUncertain, err)
		}
		if errSleep := sleep(ctx, waitBetween); errSleep != nil {
			return errors.Join(catalog.ErrUncertain, err, errSleep)
		}
	}
}

// catalogFault is what a client is told of a catalog that can't be used at the moment.
func catalogFault(err error) *fault.Error {
	if catalog.IsLost(err) {
		return fault.Errorf(fault.Unavailable, "taken_over",
			"Another database server has taken over the catalog, and may lack what was recorded last. Restart this server: "+
				"it finds out from the objects.").Because(err)
	}
	return fault.Errorf(fault.Unavailable, "catalog_unavailable",
		"The server can't reach the database of its catalog. Nothing was changed. Send the request again.").Because(err)
}
