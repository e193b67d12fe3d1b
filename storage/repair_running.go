package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/backup"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/verify"
)

// RepairDamaged puts data and rollback files back that are known to be damaged, from the backups in the server's own
// place for them or from another copy in the store, while the store is in use. Whatever is not known to be damaged is
// not read, so that descriptions and labels are left to RepairStore. With apply false it only says what it could do.
//
// A file is put back while its family's rows can't be removed, and only if the catalog still has it: what was erased
// does not come back with it.
func (s *Store) RepairDamaged(ctx context.Context, apply bool) (out []Repair, err error) {
	if !s.Copies.IsConfigured() {
		return nil, errNoTarget
	}
	w := &repairing{Store: s, sizes: map[int64][]string{}}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.openTargets(ctx, []string{s.Copies.place}); err != nil {
		return nil, explainTarget(ctx, err)
	}
	if w.place, err = s.repairPlace(); err != nil {
		return nil, err
	}
	damaged := s.verifier.Damaged()
	slices.SortFunc(damaged, func(a, b verify.Damage) int { return strings.Compare(a.Key, b.Key) })
	out = []Repair{}
	for _, d := range damaged {
		if compactedDamage(&d) != nil || d.Footer == nil {
			continue // it is made again, or is an archive
		}
		r, ok, err := w.repairRunning(ctx, d, apply)
		if ok {
			out = append(out, r)
		}
		if err != nil {
			return out, explainAway(ctx, err)
		}
	}
	return out, nil
}

// explainAway explains an error of the bucket of the backups.
func explainAway(ctx context.Context, err error) error {
	if errors.Is(err, backup.ErrAway) {
		return explainTarget(ctx, err)
	}
	return err
}

// repairRunning repairs one file; ok is false where the store does not need it any more.
func (w *repairing) repairRunning(ctx context.Context, d verify.Damage, apply bool) (r Repair, ok bool, err error) {
	var of catalog.Dataset
	err = w.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		of, err = tx.Dataset(d.Dataset)
		return err
	})
	if errors.Is(err, catalog.ErrNotFound) {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	unlock, err := w.catalog.Lock(ctx, forkLock(of.FamilyID))
	if err != nil {
		return r, false, err
	}
	defer unlock()
	var file *catalog.File
	err = w.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		file, err = tx.File(d.Footer.File)
		return err
	})
	switch {
	case errors.Is(err, catalog.ErrNotFound), err == nil && (file.Key != d.Key || file.Checksum != d.Checksum):
		return r, false, nil
	case err != nil:
		return r, false, err
	}
	one := wrongObject{need{key: d.Key, object: backup.Object{SHA256: d.Checksum, Size: d.Bytes}}, d.Detail}
	if r, err = w.repair(ctx, one, apply); err != nil || !r.Done {
		return r, true, err
	}
	if err := w.verifier.Read(ctx, []verify.Object{d.Object}); err != nil {
		return r, true, fmt.Errorf("%s was put back, and is not right: %w", d.Key, err)
	}
	w.log.Info("a damaged file was put back", "key", d.Key, "from", r.Source)
	return r, true, nil
}
