package storage

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"rowback/storage/catalog"
	"rowback/storage/datadir"
)

// openCatalog opens the catalog. One that is damaged moves to quarantine, and an empty one takes its place: the objects
// hold all that it had. One of another store is refused.
func (s *Store) openCatalog(ctx context.Context) (err error) {
	what, err := s.tryCatalog(ctx, filepath.Join(s.dir, datadir.CatalogFile))
	if err != nil {
		return err
	}
	if what != "" {
		if err := s.setCatalogAside(what); err != nil {
			return err
		}
		if what, err = s.tryCatalog(ctx, filepath.Join(s.dir, datadir.CatalogFile)); err != nil || what != "" {
			return errors.Join(err, fmt.Errorf("a new catalog can't be used: %s", what))
		}
	}
	return s.knowStore(ctx)
}

// tryCatalog opens the catalog at path, unless it is damaged: then what says how.
func (s *Store) tryCatalog(ctx context.Context, path string) (what string, err error) {
	s.catalog, err = catalog.Open(ctx, path, s.catalogHook)
	if catalog.IsDamaged(err) {
		return err.Error(), nil
	}
	if err != nil {
		return "", err
	}
	if what, err = s.catalog.Damage(ctx); err != nil || what == "" {
		return "", err
	}
	err = s.catalog.Close()
	s.catalog = nil
	return what, err
}

func (s *Store) catalogHook(op string) error {
	if s.options.Hook == nil {
		return nil
	}
	return s.options.Hook(op, datadir.CatalogFile)
}

// setCatalogAside moves the catalog to quarantine: the file itself last, so that what is left of it is never used.
func (s *Store) setCatalogAside(what string) error {
	s.options.Log.Error("the catalog is damaged: it moves to quarantine and is made anew from the objects", "damage", what)
	for _, suffix := range []string{"-shm", "-wal", ""} {
		if _, err := s.blobs.QuarantineFile(datadir.CatalogFile+suffix, s.quarantineName(datadir.CatalogFile+suffix, corrupt)); err != nil {
			return err
		}
	}
	return nil
}

// knowStore makes sure that the catalog is this store's, and completes the marker of a store that had none.
func (s *Store) knowStore(ctx context.Context) error {
	id, err := s.indexes(ctx)
	if err != nil {
		return err
	}
	if s.marker.ID == "" {
		if id == "" {
			id = s.options.NewID()
		}
		if err := s.mark(id); err != nil {
			return err
		}
	}
	return s.catalog.Write(ctx, func(tx catalog.Tx) error { return tx.SetStoreID(s.marker.ID) })
}

// indexes returns the id of the store whose catalog this is; empty: it does not say. Another store's is refused.
func (s *Store) indexes(ctx context.Context) (id string, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error { id, err = tx.StoreID(); return err })
	if err == nil && id != "" && s.marker.ID != "" && id != s.marker.ID {
		err = fmt.Errorf("%s belongs to another store (%s; this one is %s). Put this store's own back, or move it away: then it is made "+
			"anew from the objects", datadir.CatalogFile, id, s.marker.ID)
	}
	return id, err
}

// mark writes store.json, which says that the directory is this store.
func (s *Store) mark(id string) error {
	s.marker.ID, s.marker.CreatedAt = id, s.now()
	return datadir.Write(s.dir, s.marker, s.options.Hook)
}
