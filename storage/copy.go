package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datadir"
)

// A store is moved by a copy of its objects: the catalog is made from them at the new place. While a server has the
// store, what is new is copied again and again; the last pass is made once that has ended, and holds the store. Then the
// copy is checked, down to every byte, and compared with the store: each commit, and the digest of each state. Only
// then is it given its store.json, without which it is not a store. Until then it has copying.json, by which another
// attempt finds out that it may go on. TestACopyStopsAtAnyStep proves it.

// CopyPlace is where a store is.
type CopyPlace struct {
	Dir     string       // data directory; empty: it has none that stays
	Catalog string       // URL of a PostgreSQL database; empty: in the directory
	Objects *ObjectStore // nil: in the directory, or where its store.json says
}

// CopyPlan says what is copied to where.
type CopyPlan struct {
	From, To CopyPlace
	Say      func(text string) // what goes on, for people
}

// Copied is what was copied.
type Copied struct {
	Store    string `json:"store"`
	Datasets int    `json:"datasets"`
	Commits  int    `json:"commits"`
	States   int    `json:"states"` // whose digests were compared
	Objects  int    `json:"objects"`
	Bytes    int64  `json:"bytes"`
	Removed  int    `json:"removed"` // objects that the store does not have any more
}

// copier is a copy that is under way.
type copier struct {
	CopyPlan
	options Options
	source  *Store
	target  copyTarget
	held    datadir.Held // keeps others from the target's directory
	scratch string       // directory
	Copied
}

// CopyStore copies a store to another place. It may be ended at any moment and called again.
func CopyStore(ctx context.Context, p CopyPlan, o Options) (out Copied, err error) {
	if p.Say == nil {
		p.Say = func(string) {}
	}
	c := &copier{CopyPlan: p, options: o.filled()}
	var remove func() error
	if c.scratch, remove, err = datadir.Scratch(); err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := c.openSource(ctx); err != nil {
		return out, fmt.Errorf("the store to copy can't be read: %w", err)
	}
	defer func() { err = errors.Join(err, c.source.Close()) }()
	if err := c.openTarget(ctx); err != nil {
		return out, fmt.Errorf("the copy can't be made there: %w", err)
	}
	defer func() { err = errors.Join(err, c.held.Release(), c.target.Close()) }()
	err = c.run(ctx)
	return c.Copied, err
}

// run makes the copy.
func (c *copier) run(ctx context.Context) error {
	isWhole, err := c.begin(ctx)
	if err != nil {
		return err
	}
	release, err := c.follow(ctx, isWhole)
	if err != nil {
		return err
	}
	defer release()
	// Read again: the catalog, of the moment in which the store was held.
	if err := c.source.catchUpCopy(ctx, &Inspection{}); err != nil {
		return fmt.Errorf("reading the catalog of the store: %w", err)
	}
	if !isWhole {
		c.Say("comparing the copy with the store")
		if err := c.compareObjects(ctx); err != nil {
			return err
		}
	}
	return c.finish(ctx, isWhole)
}

// follow copies what the target lacks until a whole pass was made while no server had the store. It returns the
// function that lets it go.
func (c *copier) follow(ctx context.Context, isWhole bool) (release func(), err error) {
	for told := false; ; told = true {
		release, err := c.hold(ctx)
		isUsed := errors.Is(err, ErrInUse)
		if err != nil && !isUsed {
			return nil, err
		}
		began := time.Now()
		if !isWhole {
			if err := c.pass(ctx, isUsed); err != nil {
				release()
				return nil, err
			}
		}
		if !isUsed {
			return release, nil
		}
		if !told {
			c.Say("a server has the store: what it writes is copied until it is stopped; then the copy is completed")
		}
		if err := sleep(ctx, max(copyBetween, 3*time.Since(began))); err != nil {
			return nil, err
		}
	}
}

// copyBetween is the least time between two passes.
const copyBetween = time.Second

// hold keeps servers from the store. ErrInUse says that one has it.
func (c *copier) hold(ctx context.Context) (release func(), err error) {
	var held datadir.Held
	if c.From.Dir != "" {
		if held, err = datadir.Lock(c.From.Dir, false); err != nil {
			return func() {}, err
		}
	}
	free := func() { _ = held.Release() } // the end of the process does as well
	if c.From.Catalog == "" {
		return free, nil
	}
	// No catalog is made in a wrong database.
	taken, err := catalog.OpenPostgres(ctx, c.From.Catalog, catalog.PostgresOptions{Alone: true,
		Server: "rowback copy", Existing: true,
	})
	if err != nil {
		free()
		if errors.Is(err, catalog.ErrTaken) {
			err = fmt.Errorf("%w: %w", ErrInUse, err)
		}
		return func() {}, err
	}
	return func() { _ = taken.Close(); free() }, nil // nothing was written
}

// openSource opens the store that is copied for reading, whether a server has it or not.
func (c *copier) openSource(ctx context.Context) error {
	o, dir := c.options, c.From.Dir
	o.Catalog, o.Objects = c.From.Catalog, c.From.Objects
	if dir == "" {
		if o.Objects == nil || o.Catalog == "" {
			return errors.New("name its data directory, or its database and its bucket")
		}
		dir = c.scratch + "/source"
		if err := c.madeUp(ctx, dir, o.Objects); err != nil {
			return err
		}
	}
	s := newStore(dir, o)
	var err error
	if s.dir.marker, _, err = datadir.Read(dir); err != nil {
		return err
	}
	if s.dir.marker.Settings != "" {
		return errors.New("its users and settings are in PostgreSQL, from where they are not copied. Start its server once " +
			"with --settings directory, which moves them to the data directory")
	}
	if _, err := s.dir.isRemote(); err != nil {
		return err
	}
	b, err := s.dir.openBucket(o.Objects)
	if err != nil {
		return err
	}
	s.dir.bucket = b
	if err := s.lookAtObjects(ctx, b); err != nil {
		return err
	}
	c.source, c.Store = s, s.dir.marker.ID
	return nil
}

// madeUp makes a data directory for a store that has none here.
func (c *copier) madeUp(ctx context.Context, dir string, objects *ObjectStore) error {
	b, err := objects.open()
	if err != nil {
		return err
	}
	m, err := readBucketMarker(ctx, b)
	if err != nil {
		return fmt.Errorf("reading %s of %s: %w", datadir.MarkerFile, b.URL(), err)
	}
	if err := datadir.Make(dir); err != nil {
		return err
	}
	return datadir.Write(dir, datadir.Marker{
		ID: m.ID, CreatedAt: c.options.Now(), Catalog: datadir.PostgresCatalog, Objects: &objects.Objects,
		Directory: m.Directory,
	}, nil)
}

// open opens the bucket.
func (given *ObjectStore) open() (*bucket.Bucket, error) {
	o := bucket.Options{
		URL: given.URL, Endpoint: given.Endpoint, Region: given.Region, Encryption: given.Encryption,
		StorageClass: given.StorageClass,
	}
	if given.Client != nil {
		given.Client(&o)
	}
	return bucket.Open(o)
}
