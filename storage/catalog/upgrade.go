package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"github.com/pressly/goose/v3"
)

// Versions returns the version of the catalog at path, which no one has open, and the one that this program knows. A
// catalog that is missing or empty has version 0. Afterwards all of it is in the one file.
func Versions(ctx context.Context, path string) (has, knows int64, err error) {
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return 0, 0, nil
	}
	err = eachVersion(ctx, path, func(p *goose.Provider) (err error) {
		has, knows, err = p.GetVersions(ctx)
		return err
	})
	return has, knows, err
}

// Upgrade brings the catalog at path, which no one has open, to the version that this program knows. If it fails, the
// file is of no use: give it a copy.
func Upgrade(ctx context.Context, path string) error {
	return eachVersion(ctx, path, func(p *goose.Provider) error {
		_, err := p.Up(ctx)
		return err
	})
}

// eachVersion opens a catalog for its migrations, and closes it so that all of it is in the one file.
func eachVersion(ctx context.Context, path string, f func(*goose.Provider) error) error {
	db, err := sql.Open("sqlite3", "file:"+url.PathEscape(path)+"?_txlock=immediate&"+settings)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	p, err := provider(sqlite{db}, db)
	if err == nil {
		err = f(p)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if log, err := os.Stat(path + "-wal"); err == nil && log.Size() > 0 {
		return fmt.Errorf("the log of %s could not be merged into it", path)
	}
	return nil
}

// provider returns the migrations for a database.
func provider(in database, db *sql.DB) (*goose.Provider, error) {
	files, err := in.files()
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(in.dialect(), db, files)
}
