package storage_test

import (
	"context"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// A job that could not be recorded promised nothing.
func TestAJobThatDoesNotStartPromisesNothing(t *testing.T) {
	s := &stops{once: true}
	b := reopen(t, t.TempDir(), storage.Options{Hook: s.hook})
	s.armed = true
	if _, err := b.Requests.StartJob(context.Background(), "Appending",
		answering[catalog.Job]("job", "promised")); err == nil || b.Promises() != 0 {
		t.Errorf("%v, and %d promises", err, b.Promises())
	}
	s.armed = false
	if _, err := b.Requests.StartJob(context.Background(), "Appending",
		answering[catalog.Job]("job", "promised")); err != nil || b.Promises() != 1 {
		t.Errorf("%v, and %d promises", err, b.Promises())
	}
}
