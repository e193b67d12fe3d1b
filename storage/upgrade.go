package storage

import (
	"context"
	"fmt"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datadir"
)

// keptCatalogs is how many catalogs of earlier versions are kept.
const keptCatalogs = 2

// upgradeCatalog brings a catalog of an earlier version to this one: a copy of it, which takes its place in one step
// once it is complete. So a crash, an error or a full disk leaves it as it was. The one before is kept beside it.
func (d *directory) upgradeCatalog(ctx context.Context) error {
	has, knows, err := catalog.Versions(ctx, d.catalogPath())
	if err != nil || has == 0 || has >= knows {
		return nil //nolint:nilerr // openCatalog says what is wrong with it, or sets it aside
	}
	kept := datadir.CatalogBefore(has)
	scratch := d.blobs.Scratch(datadir.CatalogFile)
	defer d.blobs.RemoveScratch(scratch)
	if err = d.blobs.CopyBeside(datadir.CatalogFile, scratch); err == nil {
		err = catalog.Upgrade(ctx, scratch)
	}
	if catalog.IsDamaged(err) {
		return nil
	}
	if err == nil {
		err = d.blobs.ReplaceBeside(scratch, datadir.CatalogFile, kept)
	}
	if err != nil {
		return fmt.Errorf("the catalog could not be brought from version %d to %d and is as it was: %w. Make room for a "+
			"copy of it if the disk is full, then start again; the former version of the program still opens it", has, knows, err)
	}
	d.log.Info("the catalog was brought to this program's version", "from", has, "to", knows, "kept", kept)
	return d.forgetCatalogs(keptCatalogs)
}

// forgetCatalogs removes the catalogs of earlier versions but for the newest.
func (j *journal) forgetCatalogs(but int) error {
	names, err := j.blobs.ListBeside(datadir.CatalogsBefore)
	if err != nil || len(names) <= but {
		return err
	}
	return j.blobs.RemoveBeside(names[:len(names)-but]...)
}
