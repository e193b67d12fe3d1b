package storage

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
)

// Uploads are files that clients have uploaded to use later, in a bucket that several servers share: any of them has
// what was sent to another one. The oldest make room, and none stays for longer than a day.
type Uploads struct {
	*journal
	remote *blob.Remote
}

// How many uploads are kept, for how long, and how often those that are too old or too many are looked for.
const (
	MostUploads = 256
	UploadAge   = 24 * time.Hour
	fewEvery    = 10 * time.Minute
)

// ErrNoUpload is returned for an upload that there is not, or is another user's.
var ErrNoUpload = fault.New(fault.NotFound, "source_not_found")

// errUploadDiffers is the refusal of an upload that is not what was sent.
var errUploadDiffers = fault.Errorf(fault.Corrupt, "corrupted_data",
	"The uploaded file is damaged in the object store. Nothing was changed. Upload it again.")

// Uploads returns the uploads that servers share; nil: no other server can have the objects.
func (s *Store) Uploads() *Uploads {
	remote, ok := s.blobs.(*blob.Remote)
	if !ok || !s.catalog.IsShared() {
		return nil
	}
	return &Uploads{s.journal, remote}
}

// Keep keeps a file, which the caller may remove then. It is noted first, so that what is left of one that failed is
// found.
func (u *Uploads) Keep(ctx context.Context, of catalog.Upload, path string) error {
	if err := u.halted(); err != nil {
		return err
	}
	if err := u.catalog.Write(ctx, func(tx catalog.Tx) error { return tx.AddUpload(of) }); err != nil {
		return err
	}
	var err error
	if of.Checksum, err = u.remote.PutUpload(ctx, of.ID, path); err != nil {
		return err
	}
	err = u.catalog.Write(ctx, func(tx catalog.Tx) error { return tx.CompleteUpload(of) })
	if errors.Is(err, catalog.ErrNotFound) { // so many newer ones came meanwhile that it had to make room
		return errors.Join(ErrNoUpload, u.remote.RemoveUpload(ctx, of.ID))
	}
	if err != nil {
		return err
	}
	return u.Few(ctx, MostUploads)
}

// List lists the files of a user, oldest first.
func (u *Uploads) List(ctx context.Context, user string) (list []catalog.Upload, err error) {
	err = u.catalog.Read(ctx, func(tx catalog.Tx) error { list, err = tx.Uploads(user, UploadAge); return err })
	return list, err
}

// Find returns a file of a user's.
func (u *Uploads) Find(ctx context.Context, user, id string) (catalog.Upload, error) {
	list, err := u.List(ctx, user)
	if err != nil {
		return catalog.Upload{}, err
	}
	at := slices.IndexFunc(list, func(one catalog.Upload) bool { return one.ID == id })
	if at < 0 {
		return catalog.Upload{}, ErrNoUpload
	}
	return list[at], nil
}

// Open fetches a file to read it here. The caller removes it.
func (u *Uploads) Open(ctx context.Context, of catalog.Upload) (intake.Upload, error) {
	path, err := u.remote.FetchUpload(ctx, of.ID, of.Size, of.Checksum)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = ErrNoUpload // another server has removed it
	case errors.Is(err, blob.ErrDiffers):
		err = errUploadDiffers.Because(err)
	}
	return intake.Upload{Format: intake.Format(of.Format), Path: path, Size: of.Size}, err
}

// Drop removes a file. It is forgotten last: what could not be removed is found again.
func (u *Uploads) Drop(ctx context.Context, id string) error {
	if err := u.remote.RemoveUpload(ctx, id); err != nil {
		return err
	}
	return u.catalog.Write(ctx, func(tx catalog.Tx) error { return tx.ForgetUpload(id) })
}

// dropLeftUploads removes the files in a bucket that the catalog does not know: of one that was lost, or left for another.
// No other server is there.
func (s *Store) dropLeftUploads(ctx context.Context) error {
	remote, ok := s.blobs.(*blob.Remote)
	if !ok {
		return nil
	}
	var known []string
	err := s.catalog.Read(ctx, func(tx catalog.Tx) (err error) { known, err = tx.UploadIDs(); return err })
	if err != nil {
		return err
	}
	return remote.RemoveUploadsBut(ctx, known)
}

// Few removes files that are old, and the oldest where there are more than so many.
func (u *Uploads) Few(ctx context.Context, most int) error {
	var late []string
	err := u.catalog.Read(ctx, func(tx catalog.Tx) (err error) { late, err = tx.LateUploads(UploadAge, most); return err })
	for _, id := range late {
		err = errors.Join(err, u.Drop(ctx, id))
	}
	return err
}

// keepFew removes files that are old, until ctx ends.
func (u *Uploads) keepFew(ctx context.Context) {
	for {
		if err := u.Few(ctx, MostUploads); err != nil && ctx.Err() == nil {
			u.log.Warn("old uploads could not be removed from the object store", "error", err)
		}
		if sleep(ctx, fewEvery) != nil {
			return
		}
	}
}
