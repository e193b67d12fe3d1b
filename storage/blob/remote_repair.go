package blob

import (
	"context"
	"io"
)

// A repair works on what is in the bucket, and not in the cache.

// EachFile names all objects of the store and what is in quarantine, by their keys below the prefix.
func (r *Remote) EachFile(each func(name string, size int64)) error {
	for _, dir := range []string{objectsDir, quarantineDir} {
		for o, err := range r.bucket.List(context.Background(), dir+"/", false) {
			if err != nil {
				return err
			}
			each(o.Key, o.Size)
		}
	}
	return nil
}

// OpenFile opens what EachFile names.
func (r *Remote) OpenFile(ctx context.Context, name string) (io.ReadCloser, error) {
	in, _, err := r.bucket.Read(ctx, name)
	return in, err
}

// PutBack puts a file in the place of an object, whatever is there, also where the store is open for reading only.
func (r *Remote) PutBack(ctx context.Context, key, path string) error {
	if err := r.bucket.Replace(ctx, named(key), path); err != nil {
		return err
	}
	r.cache.drop(key)
	r.noteChange(key)
	return nil
}
