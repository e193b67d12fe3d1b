package storage_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/trace"
)

// followed is a span that notes the steps below it, in the order in which they end.
type followed struct {
	mu    *sync.Mutex
	name  string
	steps *[]string
}

func (f followed) Start(name string) trace.Span { return followed{f.mu, name, f.steps} }
func (f followed) Rename(string)                {}
func (f followed) Set(string, any)              {}
func (f followed) End(error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*f.steps = append(*f.steps, f.name)
}

// Whoever follows a commit sees each of its steps, small or not.
func TestACommitIsTracedStepByStep(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	for name, format := range map[string]intake.Format{"small": intake.JSON, "read by a process": intake.CSV} {
		body, mode := `[{"id":1}]`, catalog.Append
		if format == intake.CSV {
			body, mode = "id\n2\n3\n", catalog.Replace // which is not one of a group
		}
		var steps []string
		ctx := trace.With(context.Background(), followed{&sync.Mutex{}, "request", &steps})
		_, err := b.Commit(ctx, d, storage.Change{Mode: mode, Upload: b.Upload(format, body)})
		want := []string{"commit.stage", "commit.encode", "commit.sync", "commit.record"}
		if err != nil || !slices.Equal(steps, want) {
			t.Errorf("%s: %v, %v", name, steps, err)
		}
	}
}
