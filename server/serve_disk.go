package main

import (
	"context"
	"sync"

	"rowback/storage"
)

// scrub reads every stored file in the background, repeatedly. The returned function stops it and waits.
func (cmd *serveCmd) scrub(ctx context.Context, store *storage.Store) (stop func()) {
	if cmd.ScrubEvery <= 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		store.Scrubs.Keep(ctx, storage.ScrubPlan{Every: cmd.ScrubEvery, Rate: int64(cmd.ScrubRate)})
	})
	return func() { cancel(); running.Wait() }
}

// minFree returns how many bytes to keep free on the data directory's disk.
func (cmd *serveCmd) minFree(dir string) int64 {
	if cmd.MinFree != nil {
		return int64(*cmd.MinFree)
	}
	return storage.DefaultMinFree(dir)
}
