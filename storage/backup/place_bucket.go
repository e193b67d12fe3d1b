package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/datadir"
)

// inBucket is a prefix of a bucket. A file is written to the scratch directory first, since its name is its checksum,
// and put in one step. Its lock is a lease.
type inBucket struct {
	bucket  *bucket.Bucket
	scratch string
	lease   time.Duration

	mu     sync.Mutex
	drafts *blob.Tree // of the scratch directory; nil: it was not needed yet
}

// away returns an error of the bucket as one of the place: the store's own objects may be in another bucket.
func away(err error) error {
	if errors.Is(err, bucket.ErrAway) {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return err
}

// isFree refuses a prefix below which there is something, such as the objects of a store, or that is within a store.
func (b *inBucket) isFree(ctx context.Context) error {
	around, err := b.bucket.Above(ctx, datadir.MarkerFile)
	if err == nil && around != "" {
		err = ErrNotTarget
	}
	if err != nil {
		return away(err)
	}
	for o, err := range b.bucket.List(ctx, "", true) {
		switch {
		case err != nil:
			return away(err)
		case o.Key != lockDir+"/":
			return ErrNotTarget
		}
	}
	return nil
}

func (b *inBucket) lock(ctx context.Context) (lock, error) {
	l, err := acquire(ctx, b.bucket, b.lease)
	if err != nil {
		return nil, away(err)
	}
	return l, nil
}

func (b *inBucket) open(ctx context.Context, name string) (io.ReadCloser, error) {
	in, err := b.bucket.Stream(ctx, name)
	if err != nil {
		return nil, away(err)
	}
	return awayReader{in}, nil
}

// awayReader has the errors of the place.
type awayReader struct{ io.ReadCloser }

// Read implements io.Reader.
func (r awayReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	return n, away(err)
}

func (b *inBucket) list(ctx context.Context, dir string) iter.Seq2[blob.Entry, error] {
	return func(yield func(blob.Entry, error) bool) {
		for o, err := range b.bucket.List(ctx, dir+"/", false) {
			if !yield(blob.Entry{Name: o.Key, Size: o.Size, IsFile: true}, away(err)) || err != nil {
				return
			}
		}
	}
}

func (b *inBucket) draft() (*blob.Draft, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drafts == nil {
		tree, err := blob.MakeTree(b.scratch, nil)
		if err != nil {
			return nil, err
		}
		b.drafts = tree
	}
	return b.drafts.Draft()
}

func (b *inBucket) put(ctx context.Context, drafts ...blob.Placing) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(b.atOnce())
	for _, d := range drafts {
		g.Go(func() error {
			in, size, err := d.Content()
			if err == nil {
				err = away(b.bucket.PutFrom(ctx, d.Name, in, size))
			}
			d.Discard()
			return err
		})
	}
	return g.Wait()
}

// create puts a file that must be new: another one was written by whoever took the lock over.
func (b *inBucket) create(ctx context.Context, name string, text []byte) error {
	err := b.bucket.PutNew(ctx, name, text)
	if errors.Is(err, bucket.ErrExists) {
		return fmt.Errorf("%w: %s was written meanwhile", ErrInUse, name)
	}
	return away(err)
}

func (b *inBucket) remove(ctx context.Context, names ...string) error {
	return away(b.bucket.Remove(ctx, names...))
}

func (b *inBucket) settle() error { return nil }

// clear gives up the uploads of large files that did not come to their end.
func (b *inBucket) clear(ctx context.Context) error {
	return away(b.bucket.Abandon(ctx, objectsDir+"/"))
}

// atOnce implements place: most of the time it is waited for answers.
func (b *inBucket) atOnce() int { return 8 }

func (b *inBucket) Close() error {
	if b.drafts == nil {
		return nil
	}
	return errors.Join(b.drafts.Clear(), b.drafts.Close())
}

// read reads a file of a place that is known to be small.
func read(ctx context.Context, p place, name string) ([]byte, error) {
	in, err := p.open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(in)
	return text.Bytes(), err
}

// isMissing reports whether an error says that the file does not exist.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
