package trace_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/rowback/rowback/storage/trace"
)

// noted is a span that notes what happens to it.
type noted struct {
	name string
	all  *[]string
}

func (n noted) Start(name string) trace.Span { return noted{n.name + "/" + name, n.all} }
func (n noted) Rename(string)                {}
func (n noted) Set(key string, value any) {
	*n.all = append(*n.all, fmt.Sprint(n.name, " ", key, "=", value))
}
func (n noted) End(err error) { *n.all = append(*n.all, fmt.Sprint(n.name, " ", err)) }

func TestPartsAreOfTheirSpan(t *testing.T) {
	var all []string
	request := trace.With(context.Background(), noted{"request", &all})
	err := trace.Do(trace.Carry(context.Background(), request), "commit", func(ctx context.Context) error {
		trace.Of(ctx).Set("mode", "append")
		return trace.Do(ctx, "sync", func(context.Context) error { return errors.New("no disk") })
	})
	want := []string{"request/commit mode=append", "request/commit/sync no disk", "request/commit no disk"}
	if err == nil || !slices.Equal(all, want) {
		t.Errorf("got %v, %v", all, err)
	}
}

// Work that no one follows pays nothing.
func TestWithoutASpanNothingIsAllocated(t *testing.T) {
	ctx := trace.Carry(context.Background(), context.Background())
	step := func(ctx context.Context) error { trace.Of(ctx).Set("mode", "append"); return nil }
	if n := testing.AllocsPerRun(100, func() { _ = trace.Do(ctx, "sync", step) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
