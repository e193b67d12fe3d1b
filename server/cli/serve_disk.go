package cli

import (
	"context"
	"sync"

	"github.com/rowback/rowback/storage"
)

// scrub reads every stored file in the background, repeatedly. The returned function stops it and waits.
func (cmd *serveCmd) scrub(ctx context.Context, store *storage.Store) (stop func()) {
	if cmd.ScrubEvery <= 0 {
		return func() {}
	}
	return inBackground(ctx, func(ctx context.Context) {
		store.Scrubs.Keep(ctx, storage.ScrubPlan{Every: cmd.ScrubEvery, Rate: int64(cmd.ScrubRate)})
	})
}

// upkeep compacts and vacuums in the background. The returned function stops it and waits.
func (cmd *serveCmd) upkeep(ctx context.Context, store *storage.Store) (stop func()) {
	if !cmd.Upkeep {
		return func() {}
	}
	compact, vacuum := inBackground(ctx, store.Upkeep.Keep), inBackground(ctx, store.Vacuums.Keep)
	return func() { compact(); vacuum() }
}

// inBackground runs work until the returned function is called, which waits for its end.
func inBackground(ctx context.Context, work func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { work(ctx) })
	return func() { cancel(); running.Wait() }
}

// minFree returns how many bytes to keep free on the data directory's disk.
func (cmd *serveCmd) minFree(dir string) int64 {
	if cmd.MinFree != nil {
		return int64(*cmd.MinFree)
	}
	return storage.DefaultMinFree(dir)
}
