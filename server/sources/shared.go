package sources

import (
	"context"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
)

// shared are those of several servers, which are beside the objects: any server has them, and a restart keeps
// them.
type shared struct{ uploads *storage.Uploads }

// Put implements Sources.
func (s shared) Put(ctx context.Context, one Source) error {
	defer one.Upload.Remove()
	return noSource(one.ID, s.uploads.Keep(ctx,
		catalog.Upload{ID: one.ID, User: one.User, Name: one.Name, Format: string(one.Upload.Format), Size: one.Upload.Size},
		one.Upload.Path))
}

// sourceOf returns an upload as a source.
func sourceOf(u catalog.Upload) Source {
	return Source{
		ID: u.ID, Name: u.Name, User: u.User, At: u.At, Checksum: u.Checksum,
		Upload: calls.Upload{Upload: intake.Upload{Format: intake.Format(u.Format), Size: u.Size}},
	}
}

// Get implements Sources.
func (s shared) Get(ctx context.Context, user, id string) (Source, error) {
	u, err := s.uploads.Find(ctx, user, id)
	if err != nil {
		return Source{}, noSource(id, err)
	}
	return sourceOf(u), nil
}

// Open implements Sources.
func (s shared) Open(ctx context.Context, one Source) (u calls.Upload, done func(), err error) {
	u.Upload, err = s.uploads.Open(ctx, catalog.Upload{
		ID: one.ID, Format: string(one.Upload.Format), Size: one.Upload.Size, Checksum: one.Checksum,
	})
	return u, u.Remove, noSource(one.ID, err)
}

// Delete implements Sources.
func (s shared) Delete(ctx context.Context, user, id string) error {
	if _, err := s.Get(ctx, user, id); err != nil {
		return err
	}
	return s.uploads.Drop(ctx, id)
}

// List implements Sources.
func (s shared) List(ctx context.Context, user string) (out []Source, err error) {
	all, err := s.uploads.List(ctx, user)
	for _, u := range all {
		out = append(out, sourceOf(u))
	}
	return out, err
}
