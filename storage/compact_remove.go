package storage

import (
	"context"
	"errors"
	"path"
	"slices"
	"time"

	"github.com/rowback/rowback/storage/catalog"
)

// retired is a compacted file that was replaced.
type retired struct {
	key   string // of its directory
	since time.Time
}

// readersNeed is how long the object of a replaced file stays for statements that were about to open it.
const readersNeed = 15 * time.Minute

// removeRetired removes what no statement is about to open any more.
func (u *Upkeep) removeRetired() (err error) {
	u.retired = slices.DeleteFunc(u.retired, func(r retired) bool {
		if err != nil || u.now().Sub(r.since) < readersNeed {
			return false
		}
		err = u.blobs.Remove(r.key)
		return err == nil
	})
	return err
}

// removeLost forgets the compacted files of a family that can't be read, so that others are made.
func (u *Upkeep) removeLost(ctx context.Context, family string) error {
	if !u.compacted.anyLost() {
		return nil
	}
	list, err := u.compacted.list(ctx, family)
	if err != nil {
		return err
	}
	for _, c := range list {
		if !u.compacted.isLost(c) {
			continue
		}
		if err := u.catalog.Write(ctx, func(tx catalog.Tx) error { return tx.RemoveCompacted(c.ID) }); err != nil {
			return err
		}
		u.compacted.forget(c)
		if err := u.blobs.Remove(path.Dir(c.Key)); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes the compacted objects that the catalog does not have: a crash left them, the catalog is older or was
// lost, or they were replaced. They are made again when they are needed. With them go the key filters of what is gone.
// Where other servers have the store open, sweepAmongOthers does it.
func (u *Upkeep) sweep(ctx context.Context) error {
	if alone, err := u.isAlone(ctx); err != nil || !alone {
		return err
	}
	unknown, err := u.unknownObjects(ctx)
	if err != nil {
		return err
	}
	for _, key := range unknown {
		if err := u.blobs.Remove(key); err != nil {
			return err
		}
	}
	return u.sweepFilters(ctx)
}

// sweepAmongOthers is sweep for a store that other servers may have open: what is not in the catalog may be about to be
// recorded there, or have been replaced a moment ago, and be read. So only that is removed of which neither is so any
// more when it is looked for again.
func (u *Upkeep) sweepAmongOthers(ctx context.Context) {
	before, err := u.unknownObjects(ctx)
	if err == nil {
		if sleep(ctx, readersNeed) != nil {
			return
		}
		err = u.removeUnknown(ctx, before)
	}
	if err != nil && ctx.Err() == nil {
		u.log.Warn("compacted files that are not used could not be removed", "error", err)
	}
}

// removeUnknown removes those compacted objects that the catalog still does not have.
func (u *Upkeep) removeUnknown(ctx context.Context, keys []string) error {
	unlock, err := u.compacted.place(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	known, err := u.knownObjects(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if !known[key] {
			if err := u.blobs.Remove(key); err != nil {
				return err
			}
		}
	}
	return u.sweepFilters(ctx)
}

// sweepFilters removes the key filters of what is gone.
func (u *Upkeep) sweepFilters(ctx context.Context) error {
	datasets, err := u.blobs.Directories("")
	for _, d := range datasets {
		err = errors.Join(err, u.filters.sweep(ctx, d))
	}
	return err
}

// unknownObjects returns the directories of compacted files that the catalog does not have.
func (u *Upkeep) unknownObjects(ctx context.Context) (unknown []string, err error) {
	known, err := u.knownObjects(ctx)
	if err != nil {
		return nil, err
	}
	datasets, err := u.blobs.Directories("")
	if err != nil {
		return nil, err
	}
	for _, d := range datasets {
		prefix := d + "/" + compactedDir
		names, err := u.blobs.Directories(prefix)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if key := prefix + "/" + name; !known[key] {
				unknown = append(unknown, key)
			}
		}
	}
	return unknown, nil
}

// knownObjects returns the directories of the compacted files that the catalog has.
func (u *Upkeep) knownObjects(ctx context.Context) (map[string]bool, error) {
	known := map[string]bool{}
	for last := int64(0); ; {
		var page []*catalog.Compacted
		err := u.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
			page, err = tx.CompactedAfter(last, scrubPage)
			return err
		})
		if err != nil || len(page) == 0 {
			return known, err
		}
		for _, c := range page {
			known[path.Dir(c.Key)], last = true, c.ID
		}
	}
}
