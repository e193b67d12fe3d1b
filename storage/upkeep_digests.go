package storage

import (
	"context"
	"errors"
	"time"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
)

// Upkeep computes the digests of states in the background, so that lists can show them: once a minute, a bounded number
// for each dataset, with pauses. With that of the head, the files of all commits since the one before are read at once:
// the others then cost a transaction each.
const digestsInTurn = 256

// keepDigests computes digests until ctx ends.
func (u *Upkeep) keepDigests(ctx context.Context) {
	for sleep(ctx, u.digestEvery) == nil {
		for _, dataset := range u.taken(u.unknown) {
			if err := u.digest(ctx, dataset); err != nil && ctx.Err() == nil {
				u.log.Error("digests of a dataset were not computed", "dataset", dataset, "error", err)
			}
		}
	}
}

// digest computes some of the digests of a dataset that are not known yet. If there may be more, it is noted again.
func (u *Upkeep) digest(ctx context.Context, dataset string) error {
	done, err := u.digests.Fill(ctx, dataset, digestsInTurn, func(took time.Duration) error {
		return sleep(ctx, upkeepShare*took)
	})
	switch {
	case err == nil && done == digestsInTurn:
		u.mu.Lock()
		u.unknown[dataset] = true
		u.mu.Unlock()
	case errors.Is(err, errDatasetDeleted), fault.KindOf(err) == fault.Corrupt:
		return nil // damage was reported when it was found
	case duck.CauseOf(err) == duck.OutOfMemory: // of thousands of columns
		u.log.Warn("digests were not computed, as that takes more memory than there is", "dataset", dataset)
		return nil
	}
	return err
}
