package crunch

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
	byID map[string]source
}

// newSources returns an empty list.
func newSources() *localSources { return &localSources{byID: map[string]source{}} }

// put implements sources. It also drops those that have expired: there is no timer, so they stay until the next upload,
// and at most so many files are there in all.
func (s *localSources) put(_ context.Context, one source) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[one.id] = one
	byAge := slices.SortedFunc(maps.Values(s.byID), func(a, b source) int { return a.at.Compare(b.at) })
	for i, old := range byAge {
		if len(byAge)-i > storage.MostUploads || time.Since(old.at) > storage.UploadAge {
			s.drop(old.id)
		}
	}
	return nil
}

// drop removes a source and its file. The caller holds the lock.
func (s *localSources) drop(id string) {
	s.byID[id].upload.Remove()
	delete(s.byID, id)
}

// get implements sources.
func (s *localSources) get(_ context.Context, user, id string) (source, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.byID[id]
	if !ok || one.user != user {
		return source{}, noSource(id, storage.ErrNoUpload)
	}
	return one, nil
}

// open implements sources.
func (s *localSources) open(_ context.Context, one source) (u calls.Upload, done func(), err error) {
	return one.upload, func() {}, nil
}

// delete implements sources.
func (s *localSources) delete(ctx context.Context, user, id string) error {
	if _, err := s.get(ctx, user, id); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(id)
	return nil
}

// list implements sources.
func (s *localSources) list(_ context.Context, user string) (out []source, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.byID {
		if one.user == user {
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b source) int { return a.at.Compare(b.at) })
	return out, nil
}
