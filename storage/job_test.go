package storage_test

import (
	"context"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// A job that could not be recorded promised nothing.
func TestAJobThatDoesNotStartPromisesNothing(t *testing.T) {
	s := &storagetest.Stops{Once: true}
	b := reopen(t, t.TempDir(), storage.Options{Hook: s.Hook})
	s.Armed = true
	if _, err := b.Requests.StartJob(context.Background(), "Appending",
		answering[catalog.Job]("job", "promised")); err == nil || b.Promises() != 0 {
		t.Errorf("%v, and %d promises", err, b.Promises())
	}
	s.Armed = false
	if _, err := b.Requests.StartJob(context.Background(), "Appending",
		answering[catalog.Job]("job", "promised")); err != nil || b.Promises() != 1 {
		t.Errorf("%v, and %d promises", err, b.Promises())
	}
}
