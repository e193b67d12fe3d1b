package sources

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
)

// localSources are those of a server that has its store by itself. Their files are in staging, and do not survive a
// restart.
type localSources struct {
	mu   sync.Mutex
	byID map[string]Source
}

// newLocal returns an empty list.
func newLocal() *localSources { return &localSources{byID: map[string]Source{}} }

// Put implements Sources. It also drops expired uploads. There is no timer: they stay until the next upload,
// and at most so many files are there in all.
func (s *localSources) Put(_ context.Context, one Source) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[one.ID] = one
	byAge := slices.SortedFunc(maps.Values(s.byID), func(a, b Source) int { return a.At.Compare(b.At) })
	for i, old := range byAge {
		if len(byAge)-i > storage.MostUploads || time.Since(old.At) > storage.UploadAge {
			s.drop(old.ID)
		}
	}
	return nil
}

// drop removes a source and its file. The caller holds the lock.
func (s *localSources) drop(id string) {
	s.byID[id].Upload.Remove()
	delete(s.byID, id)
}

// Get implements Sources.
func (s *localSources) Get(_ context.Context, user, id string) (Source, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.byID[id]
	if !ok || one.User != user {
		return Source{}, noSource(id, storage.ErrNoUpload)
	}
	return one, nil
}

// Open implements Sources.
func (s *localSources) Open(_ context.Context, one Source) (u calls.Upload, done func(), err error) {
	return one.Upload, func() {}, nil
}

// Delete implements Sources.
func (s *localSources) Delete(ctx context.Context, user, id string) error {
	if _, err := s.Get(ctx, user, id); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(id)
	return nil
}

// List implements Sources.
func (s *localSources) List(_ context.Context, user string) (out []Source, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.byID {
		if one.User == user {
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b Source) int { return a.At.Compare(b.At) })
	return out, nil
}
