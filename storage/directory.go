package storage

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datadir"
)

// directory is the data directory of a store, which is locked: its marker, and the catalog that is in it.
type directory struct {
	*journal
	path   string
	hook   blob.Hook
	marker datadir.Marker
	held   datadir.Held
	// objects says how the bucket is read that has the objects; nil: they are in the directory.
	objects *ObjectStore
	bucket  *bucket.Bucket
	last    datadir.Closed // what is known to be as it was when the store was closed

	remote  string // Options.Catalog
	there   bool   // Options.CatalogThere
	server  string
	waiting func(error) // Options.Waiting

	vouched bool // the catalog is the one that was open in a process that has ended otherwise
}

// claim locks the directory, and makes it a store where it is empty or missing.
func (d *directory) claim(ctx context.Context) (err error) {
	var isNew bool
	if d.marker, isNew, d.held, err = datadir.Claim(d.path, d.hook); err != nil {
		return err
	}
	if d.bucket != nil {
		// The catalog first, where other servers may have it: one that is refused, or waits, leaves the objects to them.
		if err := d.takeCatalog(ctx); err != nil {
			return err
		}
		return d.own(ctx, d.bucket, isNew)
	}
	if isNew {
		return d.mark(d.newID())
	}
	return nil
}

// look locks the directory of a store for reading. Nothing else may have it open meanwhile.
func (d *directory) look() (err error) {
	if d.marker, _, err = datadir.Read(d.path); err == nil {
		d.held, err = datadir.Lock(d.path, false)
	}
	return err
}

// catalogPath is where the catalog is: its index and the files that SQLite keeps beside it.
func (d *directory) catalogPath() string { return filepath.Join(d.path, datadir.CatalogFile) }

// openCatalog opens the catalog, where it is. One of another store is refused.
func (d *directory) openCatalog(ctx context.Context) error {
	isRemote, err := d.isRemote()
	if err == nil && d.there {
		err = d.isThere(isRemote)
	}
	if err != nil {
		return err
	}
	if isRemote {
		return d.openRemote(ctx)
	}
	if err := d.upgradeCatalog(ctx); err != nil {
		return err
	}
	if err := d.openEmbedded(ctx); err != nil {
		return err
	}
	d.catalog.OnCheckpoint(d.vouch)
	return nil
}

// openEmbedded opens the catalog in the directory. One that is damaged moves to quarantine, and an empty one takes its
// place: the objects hold all that it had.
func (d *directory) openEmbedded(ctx context.Context) (err error) {
	what, err := d.tryCatalog(ctx, d.catalogPath())
	if err != nil {
		return err
	}
	if what != "" {
		if err := d.setCatalogAside(what); err != nil {
			return err
		}
		if what, err = d.tryCatalog(ctx, d.catalogPath()); err != nil || what != "" {
			return errors.Join(err, fmt.Errorf("a new catalog can't be used: %s", what))
		}
	}
	return d.knowStore(ctx)
}

// tryCatalog opens the catalog at path, unless it is damaged: then what says how. A catalog that can't be opened for
// another reason, such as its permissions, is an error: it is not to be replaced.
func (d *directory) tryCatalog(ctx context.Context, path string) (what string, err error) {
	d.catalog, err = catalog.Open(ctx, path, d.catalogHook)
	if catalog.IsDamaged(err) {
		return err.Error(), nil
	}
	if err != nil {
		return "", err
	}
	if d.isSound() {
		return "", nil
	}
	if what, err = d.catalog.Damage(ctx); err != nil || what == "" {
		return "", err
	}
	err = d.catalog.Close()
	d.catalog = nil
	return what, err
}

// remakeCatalog puts an empty catalog in place of the embedded one that is open, which is damaged.
func (d *directory) remakeCatalog(ctx context.Context, what string) error {
	err := d.catalog.Close()
	d.catalog = nil
	if err != nil {
		return err
	}
	if err := d.setCatalogAside(what); err != nil {
		return err
	}
	d.last, d.vouched = datadir.Closed{}, false
	if err := d.openEmbedded(ctx); err != nil {
		return err
	}
	d.catalog.OnCheckpoint(d.vouch)
	return nil
}

// catalogHook has the catalog's own durable steps pass the hook of the others, so that a test can fail at each.
func (d *directory) catalogHook(op string) error {
	if d.hook == nil {
		return nil
	}
	return d.hook(op, datadir.CatalogFile)
}

// setCatalogAside moves the catalog to quarantine: the file itself last, so that what is left of it is never used.
func (d *directory) setCatalogAside(what string) error {
	d.log.Error("the catalog is damaged: it moves to quarantine and is made anew from the objects", "damage", what)
	for _, suffix := range []string{"-shm", "-wal", ""} {
		name := datadir.CatalogFile + suffix
		if _, err := d.blobs.QuarantineFile(name, d.quarantineName(name, corrupt)); err != nil {
			return err
		}
	}
	return nil
}

// knowStore makes sure that the catalog is this store's, and completes the marker of a store that had none.
func (d *directory) knowStore(ctx context.Context) error {
	// Before anything is brought up to date: the objects of one store would be recorded in the catalog of another.
	id, err := d.indexes(ctx)
	if err != nil {
		return err
	}
	if d.marker.ID == "" {
		if id == "" {
			id = d.newID()
		}
		if err := d.mark(id); err != nil {
			return err
		}
	}
	return d.catalog.Write(ctx, func(tx catalog.Tx) error { return tx.SetStoreID(d.marker.ID) })
}

// indexes returns the id of the store whose catalog this is; empty: it does not say. Another store's is refused.
func (d *directory) indexes(ctx context.Context) (id string, err error) {
	err = d.catalog.Read(ctx, func(tx catalog.Tx) error { id, err = tx.StoreID(); return err })
	if err == nil && id != "" && d.marker.ID != "" && id != d.marker.ID {
		err = d.foreign(id, d.marker.ID)
	}
	return id, err
}

// mark writes store.json, which says that the directory is this store.
func (d *directory) mark(id string) error {
	d.marker.ID, d.marker.CreatedAt = id, d.now()
	return datadir.Write(d.path, d.marker, d.hook)
}
