package storage

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datadir"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/seal"
)

// errOtherServer is the refusal where another server has published what this one was going to.
var errOtherServer = fault.Errorf(fault.Unavailable, "other_server",
	"Another server writes to this server's object store. Stop one of them, then start the other again.")

// bucketMarker is store.json in a bucket.
type bucketMarker struct {
	ID        string `json:"id"`                // of the store
	Directory string `json:"directory"`         // that goes on with it, or what all servers of its catalog are called
	Catalog   string `json:"catalog,omitempty"` // where its catalog is: datadir.PostgresCatalog; empty: in the directory
}

// own makes the bucket's objects those of this directory's store. A new directory goes on with a store that lost its
// own: the id is that of the bucket then. So does any directory whose catalog is in PostgreSQL: this server has that.
func (d *directory) own(ctx context.Context, b *bucket.Bucket, isNew bool) error {
	there, err := readBucketMarker(ctx, b)
	isMissing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isMissing {
		return fmt.Errorf("reading %s of the object store: %w", datadir.MarkerFile, err)
	}
	if d.catalog != nil && d.catalog.IsShared() {
		if joined, err := d.joinOthers(ctx, b, there, isNew); joined || err != nil {
			return err
		}
	}
	switch {
	case isNew && isMissing:
		return d.found(ctx, b)
	case isNew && there.Catalog != "" && d.remote == "": // it would take the objects away from the servers of that catalog
		return errCatalogElsewhere
	case isNew:
		return d.goOn(ctx, b, there.ID)
	case isMissing:
		return errObjectsGone
	case there.ID != d.marker.ID:
		return fmt.Errorf("the objects in %s belong to another store (%s; this one is %s)", b.URL(), there.ID, d.marker.ID)
	case d.catalog != nil, d.marker.Catalog != "": // the catalog is where it was not, or others may have the former one
		return d.goOn(ctx, b, there.ID)
	case there.Directory != d.marker.Directory:
		return fmt.Errorf("another data directory goes on with the objects in %s. Use that one; to go on here, start with an "+
			"empty directory: its catalog is made from the objects", b.URL())
	case *d.marker.Objects != d.objects.Objects: // how it is reached has changed
		d.marker.Objects = &d.objects.Objects
		return datadir.Write(d.path, d.marker, d.hook)
	}
	return nil
}

// joinOthers makes this directory one of those that go on with the objects, if the catalog has the name that the bucket
// says: all servers that have the catalog write under it. Otherwise only a server that is there alone may go on.
func (d *directory) joinOthers(ctx context.Context, b *bucket.Bucket, there bucketMarker, isNew bool) (bool, error) {
	var name string
	err := d.catalog.Read(ctx, func(tx catalog.Tx) (err error) { name, err = tx.StoreDirectory(); return err })
	if err != nil {
		return false, err
	}
	switch {
	case name == "" || name != there.Directory:
		if !d.catalog.IsFirst() {
			return false, inUse{fmt.Errorf("the servers that have the catalog have other objects than those in %s. Name "+
				"theirs with --objects, or stop them all first", b.URL())}
		}
		return false, nil
	case !isNew && there.ID != d.marker.ID:
		return false, nil // it is refused
	}
	if there.Catalog == "" {
		if err := completeMarker(ctx, b, name); err != nil {
			return false, err
		}
	}
	switch {
	case !isNew && d.marker.Directory == name && *d.marker.Objects == d.objects.Objects:
		return true, nil
	}
	// The audit log stays the one that it was.
	d.marker.Log = cmp.Or(d.marker.AuditLog(), d.newID())
	d.marker.Directory, d.marker.Objects = name, &d.objects.Objects
	if isNew {
		return true, d.mark(there.ID)
	}
	return true, datadir.Write(d.path, d.marker, d.hook)
}

// completeMarker has store.json of a bucket say that the catalog is in PostgreSQL, which older versions left out: a
// server that names no database is refused by that.
func completeMarker(ctx context.Context, b *bucket.Bucket, name string) error {
	text, tag, err := b.GetTagged(ctx, datadir.MarkerFile)
	if err != nil {
		return err
	}
	var m bucketMarker
	if err := json.Unmarshal(text, &m); err != nil || m.Directory != name {
		return err // others have taken it over: whoever writes next finds out
	}
	m.Catalog = datadir.PostgresCatalog
	if text, err = seal.Text(m); err != nil {
		return err
	}
	err = b.PutOver(ctx, datadir.MarkerFile, tag, text)
	if errors.Is(err, bucket.ErrExists) { // another server was faster
		return nil
	}
	return err
}

// readBucketMarker reads store.json of a bucket.
func readBucketMarker(ctx context.Context, b *bucket.Bucket) (m bucketMarker, err error) {
	text, err := b.Get(ctx, datadir.MarkerFile)
	if err == nil {
		err = seal.Check(text)
	}
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	return m, err
}

// BucketStore returns the id of the store whose objects are in the bucket that a data directory names.
func BucketStore(ctx context.Context, dir string, given *ObjectStore) (id string, err error) {
	d := &directory{journal: &journal{}, path: dir}
	known, _, err := d.known()
	if err != nil || known == nil {
		return "", err
	}
	there := *given
	there.Objects = *known
	b, err := there.open()
	if err != nil {
		return "", err
	}
	m, err := readBucketMarker(ctx, b)
	return m.ID, err
}

// found makes a prefix of a bucket a store, unless it has something else, or is within another store.
func (d *directory) found(ctx context.Context, b *bucket.Bucket) error {
	if err := isFree(ctx, b); err != nil {
		return err
	}
	mine := d.markerOf(d.newID())
	if err := d.isCatalogOf(ctx, mine.ID); err != nil {
		return err
	}
	text, err := seal.Text(mine)
	if err == nil {
		err = b.PutNew(ctx, datadir.MarkerFile, text)
	}
	if err != nil {
		return err
	}
	d.marker.Directory, d.marker.Objects = mine.Directory, &d.objects.Objects
	return errors.Join(d.nameInCatalog(ctx, mine), d.mark(mine.ID))
}

// markerOf is store.json of a bucket whose objects this directory, or this catalog in PostgreSQL, begins to go on with.
func (d *directory) markerOf(store string) bucketMarker {
	m := bucketMarker{ID: store, Directory: d.newID()}
	if d.catalog != nil {
		m.Catalog = datadir.PostgresCatalog
	}
	return m
}

// nameInCatalog records in a catalog that others may have what the bucket calls its servers.
func (d *directory) nameInCatalog(ctx context.Context, m bucketMarker) error {
	if d.catalog == nil {
		return nil
	}
	return d.catalog.Write(ctx, func(tx catalog.Tx) error { return tx.SetStoreDirectory(m.ID, m.Directory) })
}

// isFree reports why a new store can't be made in a prefix without a store.json.
func isFree(ctx context.Context, b *bucket.Bucket) error {
	around, err := b.Above(ctx, datadir.MarkerFile)
	if err != nil {
		return err
	}
	if around != "" {
		return fmt.Errorf("%s is within the store in %s, which would take its objects for its own. Name another prefix",
			b.URL(), around)
	}
	for o, err := range b.List(ctx, "", true) {
		switch {
		case err != nil:
			return err
		case o.Key == copyFile:
			return fmt.Errorf("the copy of a store to %s is not complete. Complete it with rowback copy", b.URL())
		case o.Key == datadir.MarkerFile:
			return fmt.Errorf("%s has a store already. Name a prefix below which there is nothing", b.URL())
		}
		return fmt.Errorf("%s has %s but no %s, so it is not a store's. Name a prefix below which there is nothing",
			b.URL(), o.Key, datadir.MarkerFile)
	}
	return nil
}

// goOn has this directory go on with the objects of a store. The one that had them finds out at its next write.
func (d *directory) goOn(ctx context.Context, b *bucket.Bucket, id string) error {
	if err := d.isCatalogOf(ctx, id); err != nil {
		return err
	}
	// What it owed was taken back, or recorded, by the one that went on.
	if err := blob.ForgetOwed(d.path); err != nil {
		return err
	}
	mine := d.markerOf(id)
	d.log.Warn("the objects were those of another data directory, which must not write to them any more", "store", id)
	text, err := seal.Text(mine)
	if err == nil {
		err = b.Put(ctx, datadir.MarkerFile, text)
	}
	if err == nil {
		err = sleep(ctx, blob.TakeOverTime)
	}
	if err != nil {
		return err
	}
	if err := d.nameInCatalog(ctx, mine); err != nil {
		return err
	}
	d.marker.Log = d.marker.AuditLog()
	d.marker.Directory, d.marker.Objects = mine.Directory, &d.objects.Objects
	if d.marker.ID != "" {
		return datadir.Write(d.path, d.marker, d.hook)
	}
	return d.mark(id)
}

// isCatalogOf refuses the catalog of another store that is open already, before anything is written.
func (d *directory) isCatalogOf(ctx context.Context, store string) error {
	if d.catalog == nil {
		return nil
	}
	var id string
	err := d.catalog.Read(ctx, func(tx catalog.Tx) (err error) { id, err = tx.StoreID(); return err })
	if err == nil && id != "" && id != store {
		return d.foreign(id, store)
	}
	return err
}

// errObjectsGone says that the bucket is not the one that it was.
var errObjectsGone = fault.Errorf(fault.Unavailable, "objects_missing",
	"The object store has no store.json below the prefix: it is another bucket, or was emptied. Put the objects back, "+
		"then start the server again.")

// hasBucket refuses to write once another data directory goes on with the objects. Nothing is written then until the
// next start, which is refused as well.
func (s *Store) hasBucket(ctx context.Context, b *bucket.Bucket) error {
	err := isMine(ctx, b, s.dir.marker)
	if errors.Is(err, errOtherServer) && s.stopped.Load() == nil {
		s.distrust(err)
	}
	return err
}

// isMine reports why the bucket is not the one that the directory's store has.
func isMine(ctx context.Context, b *bucket.Bucket, m datadir.Marker) error {
	text, err := b.Get(ctx, datadir.MarkerFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errObjectsGone
	case err != nil:
		return err
	case !bytes.Contains(text, []byte(m.Directory)):
		return errOtherServer
	}
	return nil
}
