package storage

import (
	"context"
	"errors"
	"fmt"

	"rowback/storage/catalog"
)

// reserveName makes sure that a name that the commit gives is free, until it stands: a commit that is published is not to
// be refused for it.
func (w *work) reserveName(ctx context.Context) (unlock func(), err error) {
	d, name := w.head.Dataset, w.properties.Name
	if w.creates == nil && name == d.Name || d.IsNamesake {
		return func() {}, nil
	}
	unlock, err = w.store.catalog.Lock(ctx, nameLock(d.ProjectID, name))
	if err != nil {
		return nil, err
	}
	err = w.store.catalog.Read(ctx, func(tx catalog.Tx) error {
		other, err := tx.DatasetByName(d.ProjectID, name)
		if errors.Is(err, catalog.ErrNotFound) || err == nil && other.ID == d.ID {
			return nil
		}
		if err == nil {
			err = taken(name)
		}
		return err
	})
	if err != nil {
		unlock()
	}
	return unlock, err
}

func nameLock(project int64, name string) string {
	return fmt.Sprintf("name\x00%d\x00%s", project, name)
}
