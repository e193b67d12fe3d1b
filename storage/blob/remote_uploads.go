package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
)

// uploadsDir has files in the bucket that clients have uploaded to use later. They are not objects of a dataset: a start
// and a check do not look at them, and whoever put them knows their names.
const uploadsDir = "uploads"

// PutUpload puts a file to the bucket under a name of its own, and returns its checksum (SHA-256, hexadecimal).
func (r *Remote) PutUpload(ctx context.Context, name, path string) (checksum string, err error) {
	if err := errors.Join(r.isSettled(), r.mine(ctx)); err != nil {
		return "", err
	}
	if err := r.hook("put", uploadsDir+"/"+name); err != nil {
		return "", err
	}
	if checksum, err = sumOfFile(path); err != nil {
		return "", err
	}
	return checksum, r.bucket.PutFile(ctx, uploadsDir+"/"+name, path)
}

func sumOfFile(path string) (string, error) {
	in, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	h := sha256.New()
	_, err = io.Copy(h, in)
	return hex.EncodeToString(h.Sum(nil)), err
}

// FetchUpload copies a file that was put there to a new scratch file, which the caller removes. Without the file the
// error is fs.ErrNotExist; with another one than that of the checksum, ErrDiffers. An empty checksum is not compared.
func (r *Remote) FetchUpload(ctx context.Context, name string, size int64, checksum string) (path string, err error) {
	path = r.Scratch("upload")
	out, err := r.CreateScratch(path)
	if err != nil {
		return path, err
	}
	err = errors.Join(r.bucket.Fetch(ctx, uploadsDir+"/"+name, size, out, nil), out.Close())
	if err == nil && checksum != "" {
		var is string
		if is, err = sumOfFile(path); err == nil && is != checksum {
			err = ErrDiffers
		}
	}
	if err != nil {
		r.RemoveScratch(path)
	}
	return path, err
}

// RemoveUploadsBut removes the files that were put there, but for those of some names.
func (r *Remote) RemoveUploadsBut(ctx context.Context, names []string) error {
	for o, err := range r.bucket.List(ctx, uploadsDir+"/", true) {
		if err != nil {
			return err
		}
		if name := strings.TrimPrefix(o.Key, uploadsDir+"/"); !slices.Contains(names, name) {
			if err := r.RemoveUpload(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// RemoveUpload removes a file that was put there, and what of it was put in part.
func (r *Remote) RemoveUpload(ctx context.Context, name string) error {
	if err := r.hook("remove", uploadsDir+"/"+name); err != nil {
		return err
	}
	return errors.Join(r.bucket.Abandon(ctx, uploadsDir+"/"+name), r.bucket.Remove(ctx, uploadsDir+"/"+name))
}
