package storage

import (
	"context"
	"io"
	"path"

	"github.com/rowback/rowback/storage/blob"
)

// repairPlace is where a repair puts objects, and looks for copies of them: the data directory, or a bucket.
type repairPlace interface {
	// each names the files that may be copies, in the objects and in quarantine.
	each(func(path string, size int64)) error
	open(path string) (io.ReadCloser, error)
	// put has copyTo write an object, which takes its place once it is complete.
	put(ctx context.Context, key string, copyTo func(io.Writer) error) error
	Close() error
}

// repairPlace opens the place of the store's objects.
func (s *Store) repairPlace() (repairPlace, error) {
	if remote, ok := s.blobs.(*blob.Remote); ok {
		return bucketPlace{s, remote}, nil
	}
	tree, err := blob.OpenTree(s.dir.path, s.dir.hook)
	if err != nil {
		return nil, err
	}
	return treePlace{tree}, nil
}

// treePlace is a data directory.
type treePlace struct{ *blob.Tree }

func (p treePlace) each(f func(path string, size int64)) error {
	for _, dir := range []string{"objects", "quarantine"} {
		if err := p.below(dir, f); err != nil {
			return err
		}
	}
	return nil
}

func (p treePlace) below(dir string, f func(path string, size int64)) error {
	entries, err := p.List(dir)
	for _, e := range entries {
		name := dir + "/" + e.Name
		if e.IsFile {
			f(name, e.Size)
		} else if err := p.below(name, f); err != nil {
			return err
		}
	}
	return err
}

func (p treePlace) open(path string) (io.ReadCloser, error) { return p.Open(path) }

func (p treePlace) put(_ context.Context, key string, copyTo func(io.Writer) error) error {
	name := objectsDir + "/" + key
	d, err := p.Draft()
	if err != nil {
		return err
	}
	if err := copyTo(d); err != nil {
		d.Discard()
		return err
	}
	if err := p.Place(blob.Placing{Draft: d, Name: name}); err != nil {
		d.Discard()
		return err
	}
	return p.Sync(path.Dir(name))
}

// bucketPlace is a bucket. An object is put there in one step, from a file that was compared with its checksum.
type bucketPlace struct {
	*Store
	remote *blob.Remote
}

func (p bucketPlace) each(f func(path string, size int64)) error { return p.remote.EachFile(f) }

func (p bucketPlace) open(path string) (io.ReadCloser, error) {
	return p.remote.OpenFile(context.Background(), path)
}

func (p bucketPlace) put(ctx context.Context, key string, copyTo func(io.Writer) error) error {
	if err := p.hasBucket(ctx, p.dir.bucket); err != nil {
		return err
	}
	scratch := p.blobs.Scratch("repaired")
	defer p.blobs.RemoveScratch(scratch)
	f, err := p.blobs.CreateScratch(scratch)
	if err != nil {
		return err
	}
	err = copyTo(f)
	if errClose := f.Close(); err == nil {
		err = errClose
	}
	if err != nil {
		return err
	}
	if p.dir.hook != nil {
		if err := p.dir.hook("put", key); err != nil {
			return err
		}
	}
	return p.remote.PutBack(ctx, key, scratch)
}

// Close leaves the store open.
func (bucketPlace) Close() error { return nil }
