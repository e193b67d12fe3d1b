// Package sources keeps files that clients have uploaded to use later: a day at most, and not very many. Those of a
// server that has its store by itself are in staging until it ends; several servers have them beside the objects, where
// any of them finds what was sent to another.
package sources

import (
	"context"
	"errors"
	"time"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/schema"
)

// Source is an uploaded file.
type Source struct {
	ID, Name string
	User     string
	Upload   calls.Upload // of another server's, its format and size
	At       time.Time
	Columns  []schema.Column // of another dataset: what is said of them there
	Checksum string          // of one that several servers have
}

// Sources are the uploaded files, those of each user apart.
type Sources interface {
	// Put keeps a source, whose file it takes over. The oldest make room.
	Put(ctx context.Context, one Source) error
	// Get finds a user's source. Those of other users are not found.
	Get(ctx context.Context, user, id string) (Source, error)
	// Open returns the file of a source, to be read until done is called.
	Open(ctx context.Context, one Source) (u calls.Upload, done func(), err error)
	// Delete drops a user's source.
	Delete(ctx context.Context, user, id string) error
	// List returns the sources of a user, oldest first.
	List(ctx context.Context, user string) ([]Source, error)
}

// Of returns the sources of the clients of a store.
func Of(store *storage.Store) Sources {
	if uploads := store.Uploads(); uploads != nil {
		return shared{uploads}
	}
	return newLocal()
}

// noSource returns the refusal of a source that is not found, and other errors as they are.
func noSource(id string, err error) error {
	if !errors.Is(err, storage.ErrNoUpload) {
		return err
	}
	return storage.ErrNoUpload.Sayf("Source '%.40s' not found. Uploaded sources are kept for a day, on a "+
		"server by itself until it restarts. Upload it again.", id)
}
