package storage

import (
	"context"
	"errors"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/lookup"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Upkeep makes key filters for the large files of a state in which statistics do not exclude row groups: those whose
// keys are not sorted. Like compaction it changes no state, may stop at any moment, and is done again where it is lost.

// filterAll makes the filters that a state lacks, with a pause after each, and removes those of files that are gone.
func (u *Upkeep) filterAll(
	ctx context.Context, s *snapshot.Snapshot, done *Compacted, pause func(took time.Duration) error,
) error {
	for {
		began := time.Now()
		made, err := u.filterOnce(ctx, s)
		if err != nil {
			u.change(func(s *UpkeepState) { s.Failed++ })
			return err
		}
		if !made {
			return u.filters.sweep(ctx, s.Dataset.ID)
		}
		done.Filters++
		if err := pause(time.Since(began)); err != nil {
			return err
		}
	}
}

// filterOnce makes one filter that a state lacks; made is false if it lacks none.
func (u *Upkeep) filterOnce(ctx context.Context, s *snapshot.Snapshot) (made bool, err error) {
	for _, p := range s.DataParts() {
		columns, ok := keyColumns(s.Schema.KeyColumns(), s.SchemaOf(p.File))
		if !ok || !u.filters.takes(p.File) || u.unfiltered[filterKey(p.File)] || u.isDamaged()(p.File) ||
			u.filters.has(p.File) {
			continue
		}
		if made, err = u.filter(ctx, s, p, columns); made || err != nil {
			return made, err
		}
		if len(u.unfiltered) >= mostSound {
			clear(u.unfiltered)
		}
		u.unfiltered[filterKey(p.File)] = true
	}
	return false, nil
}

// filter makes the filter of a part, if it needs one. What can't be read as it should is left alone.
func (u *Upkeep) filter(
	ctx context.Context, s *snapshot.Snapshot, p snapshot.Part, columns []lookup.Column,
) (made bool, err error) {
	sorted, err := u.isSorted(ctx, p.File, columns[0])
	if err == nil && !sorted {
		err = u.makeFilter(ctx, s, p, columns)
	}
	if errors.Is(err, lookup.ErrUnfit) {
		u.log.Warn("a file gets no key filter", "key", p.Key, "error", err)
		return false, nil
	}
	return err == nil && !sorted, err
}

// isSorted reports whether a file needs no filter: its statistics exclude all but a few rows.
func (u *Upkeep) isSorted(ctx context.Context, f *catalog.File, first lookup.Column) (sorted bool, err error) {
	err = u.reading(ctx, f, &u.read, func(in *lookup.File) error {
		// The keys of one row group may be anywhere between its bounds.
		if len(in.RowGroups()) > 1 {
			sorted, err = in.IsSorted(first)
		}
		return err
	})
	return sorted, err
}

// makeFilter makes the filter of a part. The whole file is verified before: a filter of damaged keys would leave out
// those that the file has once it is put back.
func (u *Upkeep) makeFilter(
	ctx context.Context, s *snapshot.Snapshot, p snapshot.Part, columns []lookup.Column,
) error {
	if err := u.halted(); err != nil {
		return err
	}
	if !u.staging.disk.fits(roomFor * mostFilter(p.Rows)) {
		return errSmallDisk
	}
	if err := u.readWhole(ctx, []*catalog.File{p.File}); err != nil {
		return err
	}
	var filter *lookup.Filter
	err := u.reading(ctx, p.File, &u.read, func(in *lookup.File) (err error) {
		ids := fieldIDs(s.Schema.KeyColumns())
		filter, err = in.Build(p.Checksum, columns, ids, func() error { return context.Cause(ctx) })
		return err
	})
	if err != nil {
		return err
	}
	size, err := u.filters.put(p.File, filter)
	if err == nil {
		u.change(func(s *UpkeepState) { s.Filters, s.FilterBytes = s.Filters+1, s.FilterBytes+size })
	}
	return err
}

// sweep removes the filters in a dataset's directory whose files are gone, or are others by now.
func (k *keyFilters) sweep(ctx context.Context, dataset string) error {
	var gone []string
	for o, err := range k.blobs.List(dataset + "/" + filtersDir) {
		if err != nil {
			return err
		}
		has, err := k.hasFileOf(ctx, path.Base(o.Key))
		if err != nil {
			return err
		}
		if !has {
			gone = append(gone, o.Key)
		}
	}
	for _, key := range gone {
		if err := k.forget(key); err != nil {
			return err
		}
	}
	return nil
}

// hasFileOf reports whether there is the file that a filter's name means.
func (k *keyFilters) hasFileOf(ctx context.Context, name string) (has bool, err error) {
	kind, rest, _ := strings.Cut(name, "-")
	text, _, _ := strings.Cut(rest, "-")
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return false, nil // it is not a filter of ours
	}
	err = k.catalog.Read(ctx, func(tx catalog.Tx) error {
		if schema.Kind(kind) == schema.Data {
			f, err := tx.File(id)
			has = err == nil && filterName(f) == name
			return err
		}
		some, err := tx.CompactedAfter(id-1, 1)
		has = err == nil && len(some) == 1 && filterName(&some[0].File) == name
		return err
	})
	if errors.Is(err, catalog.ErrNotFound) {
		err = nil
	}
	return has, err
}

func formatID(id int64) string { return strconv.FormatInt(id, 10) }
