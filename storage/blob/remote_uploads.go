package blob

import (
	"context"
	"errors"
)

// uploadsDir has files in the bucket that clients have uploaded to use later. They are not objects of a dataset: a start
// and a check do not look at them, and whoever put them knows their names.
const uploadsDir = "uploads"

// PutUpload puts a file to the bucket under a name of its own.
func (r *Remote) PutUpload(ctx context.Context, name, path string) error {
	if err := errors.Join(r.isSettled(), r.mine(ctx)); err != nil {
		return err
	}
	if err := r.hook("put", uploadsDir+"/"+name); err != nil {
		return err
	}
	return r.bucket.PutFile(ctx, uploadsDir+"/"+name, path)
}

// FetchUpload copies a file that was put there to a new scratch file, which the caller removes. Without the file the
// error is fs.ErrNotExist.
func (r *Remote) FetchUpload(ctx context.Context, name string, size int64) (path string, err error) {
	path = r.Scratch("upload")
	out, err := r.CreateScratch(path)
	if err != nil {
		return path, err
	}
	err = errors.Join(r.bucket.Fetch(ctx, uploadsDir+"/"+name, size, out), out.Close())
	if err != nil {
		r.RemoveScratch(path)
	}
	return path, err
}

// RemoveUpload removes a file that was put there, and what of it was put in part.
func (r *Remote) RemoveUpload(ctx context.Context, name string) error {
	if err := r.hook("remove", uploadsDir+"/"+name); err != nil {
		return err
	}
	return errors.Join(r.bucket.Abandon(ctx, uploadsDir+"/"+name), r.bucket.Remove(ctx, uploadsDir+"/"+name))
}
