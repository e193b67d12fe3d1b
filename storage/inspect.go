package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/rowback/rowback/storage/datadir"
	"github.com/rowback/rowback/storage/duck"
)

// Inspection is what a look at a data directory finds.
type Inspection struct {
	Forward  []string  // what the next start records that the catalog does not have yet
	Problems []Problem // what is not as it must be, now or after that
}

// Inspect checks the store in the data directory dir, which no server has open, and writes nothing there: it works on a
// copy of the catalog, and does with that what the next start will do. With deep, every byte is read. Where there is no
// store, the error is ErrNotStore; where one is open, ErrInUse.
func Inspect(ctx context.Context, dir string, deep bool, o Options) (out Inspection, err error) {
	_, out, done, err := inspected(ctx, dir, deep, o)
	if err != nil {
		return out, err
	}
	return out, done()
}

// inspected is Inspect with the store that was looked at, which done closes.
func inspected(
	ctx context.Context, dir string, deep bool, o Options,
) (s *Store, out Inspection, done func() error, err error) {
	s, done, err = lookAt(ctx, dir, o)
	if err != nil {
		return nil, out, nil, err
	}
	if err = s.inspect(ctx, deep, &out); err != nil {
		return nil, out, nil, errors.Join(err, done())
	}
	return s, out, done, nil
}

// lookAt opens the objects of a store for reading only.
func lookAt(ctx context.Context, dir string, o Options) (s *Store, done func() error, err error) {
	s = newStore(dir, o)
	if err := s.dir.look(); err != nil {
		return nil, nil, err
	}
	b, err := s.dir.openBucket(o.Objects)
	s.dir.bucket = b
	if err == nil && b != nil {
		err = isMine(ctx, b, s.dir.marker)
	}
	if err == nil {
		err = s.lookAtObjects(ctx, b)
	}
	if err != nil {
		return nil, nil, errors.Join(err, s.dir.held.Release())
	}
	return s, s.Close, nil
}

// inspect brings a copy of the catalog up to date and checks the store with it.
func (s *Store) inspect(ctx context.Context, deep bool, out *Inspection) (err error) {
	if err := s.catchUpCopy(ctx, out); err != nil {
		return err
	}
	found, err := s.Check(ctx, deep)
	out.Problems = append(out.Problems, found...)
	return err
}

// copyCatalog opens a copy of the catalog, or an empty one where it is missing or damaged.
func (d *directory) copyCatalog(ctx context.Context, out *Inspection) error {
	path := d.blobs.Scratch(datadir.CatalogFile)
	if err := d.copyTo(ctx, path); err != nil {
		return err
	}
	what, err := d.tryCatalog(ctx, path)
	if err != nil {
		return err
	}
	if what != "" {
		out.Problems = append(out.Problems, Problem{
			Detail: "the catalog is damaged, and the next start makes it anew: " + what,
		})
		if what, err = d.tryCatalog(ctx, d.blobs.Scratch(datadir.CatalogFile)); err != nil || what != "" {
			return errors.Join(err, fmt.Errorf("a new catalog can't be used: %s", what))
		}
	}
	_, err = d.indexes(ctx)
	return err
}

// catchUpCopy opens a copy of the catalog, and does with it what the next start will do with the catalog.
func (s *Store) catchUpCopy(ctx context.Context, out *Inspection) (err error) {
	if err := s.dir.copyCatalog(ctx, out); err != nil {
		return err
	}
	if s.engine, err = duck.Open(s.budget.engine()); err != nil {
		return err
	}
	f := &forward{journal: s.journal}
	if err := f.run(ctx); err != nil {
		return err
	}
	out.Forward = f.steps
	// Nothing is moved: the objects are open for reading only.
	for _, a := range f.aside {
		a.Detail = "the next start moves it to quarantine: " + a.Detail
		out.Problems = append(out.Problems, a.Problem)
	}
	return nil
}
