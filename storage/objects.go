package storage

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/datadir"
	"github.com/rowback/rowback/storage/verify"
)

// The objects of a store are in its data directory, or in a bucket. Then store.json of the directory says where, and
// store.json in the bucket says whose they are, and who goes on with them: the data directory that has the catalog, or
// all servers of a catalog in PostgreSQL, under one name.

// ObjectStore is where the objects of a store are if not in its data directory.
type ObjectStore struct {
	datadir.Objects                       // without a URL: where store.json says
	Cache           string                // directory of copies; empty: one in the data directory
	Limit           int64                 // bytes that they have at most; 0: 10 GB
	Client          func(*bucket.Options) // for tests: changes how the bucket is opened
}

// openBucket returns the bucket that the options or the directory's marker name; nil: the objects are in the directory.
func (d *directory) openBucket(given *ObjectStore) (*bucket.Bucket, error) {
	known, isStore, err := d.known()
	if err != nil {
		return nil, err
	}
	if given == nil {
		given = &ObjectStore{}
	}
	switch {
	case known == nil && given.URL == "":
		return nil, nil
	case known == nil && isStore:
		return nil, errors.New("the objects of this store are in its data directory. Start without --objects, or with " +
			"the data directory of another store")
	case given.URL == "":
		there := *given
		there.Objects = *known
		given = &there
	case known != nil && known.URL != given.URL:
		return nil, fmt.Errorf("the objects of this store are in %s, as %s says, and not in %s. Start without --objects; "+
			"if they were moved, change objects.url there", known.URL, datadir.MarkerFile, given.URL)
	}
	d.objects = given
	return given.open()
}

// known returns where the objects of the directory's store are, and whether there is one.
func (d *directory) known() (*datadir.Objects, bool, error) {
	m, bare, err := datadir.Read(d.path)
	if bare {
		return nil, false, nil
	}
	return m.Objects, err == nil, err
}

// openObjects opens the objects, wherever they are.
func (s *Store) openObjects(ctx context.Context, b *bucket.Bucket) error {
	if b == nil {
		local, err := blob.Open(s.dir.path, s.dir.hook)
		if err == nil {
			s.blobs = local
		}
		return err
	}
	o := s.dir.remoteOptions(b)
	o.Mine = func(ctx context.Context) error { return s.hasBucket(ctx, b) }
	if s.catalog != nil && s.catalog.IsShared() {
		o.Ledger = &ledger{Catalog: s.catalog}
	}
	remote, err := blob.OpenRemote(ctx, s.dir.path, o)
	if err != nil {
		return err
	}
	s.blobs = remote
	s.verifier.From(fetching{remote})
	return nil
}

func (d *directory) remoteOptions(b *bucket.Bucket) blob.RemoteOptions {
	return blob.RemoteOptions{Bucket: b, Cache: d.objects.Cache, Limit: d.objects.Limit, Log: d.log, Hook: d.hook}
}

// lookAtObjects opens the objects for reading only.
func (s *Store) lookAtObjects(ctx context.Context, b *bucket.Bucket) error {
	if b == nil {
		local, err := blob.OpenReadOnly(s.dir.path)
		s.blobs = local
		return err
	}
	remote, err := blob.OpenRemoteReadOnly(ctx, s.dir.path, s.dir.remoteOptions(b))
	if err != nil {
		return err
	}
	s.blobs = remote
	s.verifier.From(fetching{remote})
	return nil
}

// fetching is where the files of objects come from that are in a bucket (verify.Source).
type fetching struct{ remote *blob.Remote }

// Fetch implements verify.Source.
func (f fetching) Fetch(ctx context.Context, o verify.Object, fresh bool) (bool, error) {
	if f.remote.IsStaged(o.Key) {
		return false, nil
	}
	fetched, err := f.remote.Fetch(ctx, o.Key, o.Bytes, o.Checksum, fresh)
	return fetched, differs(err)
}

// Examine implements verify.Source.
func (f fetching) Examine(
	ctx context.Context, o verify.Object, whole bool, through func(io.Reader) io.Reader,
) error {
	return differs(f.remote.Examine(ctx, o.Key, o.Bytes, o.Checksum, whole, through))
}

// differs returns an error as the verifier knows it.
func differs(err error) error {
	if errors.Is(err, blob.ErrDiffers) {
		return fmt.Errorf("%w: %w", verify.ErrDiffers, err)
	}
	return err
}
