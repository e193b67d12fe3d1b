package crunch

import (
	"context"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
)

// sharedSources are those of several servers, which are beside the objects: any server has them, and a restart keeps
// them.
type sharedSources struct{ uploads *storage.Uploads }

// put implements sources.
func (s sharedSources) put(ctx context.Context, one source) error {
	defer one.upload.Remove()
	return noSource(one.id, s.uploads.Keep(ctx,
		catalog.Upload{ID: one.id, User: one.user, Name: one.name, Format: string(one.upload.Format), Size: one.upload.Size},
		one.upload.Path))
}

// sourceOf returns an upload as a source.
func sourceOf(u catalog.Upload) source {
	return source{
		id: u.ID, name: u.Name, user: u.User, at: u.At,
		upload: calls.Upload{Upload: intake.Upload{Format: intake.Format(u.Format), Size: u.Size}},
	}
}

// get implements sources.
func (s sharedSources) get(ctx context.Context, user, id string) (source, error) {
	u, err := s.uploads.Find(ctx, user, id)
	if err != nil {
		return source{}, noSource(id, err)
	}
	return sourceOf(u), nil
}

// open implements sources.
func (s sharedSources) open(ctx context.Context, one source) (u calls.Upload, done func(), err error) {
	u.Upload, err = s.uploads.Open(ctx, catalog.Upload{
		ID: one.id, Format: string(one.upload.Format), Size: one.upload.Size,
	})
	return u, u.Remove, noSource(one.id, err)
}

// delete implements sources.
func (s sharedSources) delete(ctx context.Context, user, id string) error {
	if _, err := s.get(ctx, user, id); err != nil {
		return err
	}
	return s.uploads.Drop(ctx, id)
}

// list implements sources.
func (s sharedSources) list(ctx context.Context, user string) (out []source, err error) {
	all, err := s.uploads.List(ctx, user)
	for _, u := range all {
		out = append(out, sourceOf(u))
	}
	return out, err
}
