package cli

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"

	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/server/webhooks"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/datadir"
)

// place is where the settings of a store may be: in its directory, or beside a catalog in PostgreSQL.
type place struct {
	dir     string
	catalog string // as --catalog has it
	others  string // a server that opened the store before this one and has it open, for people; empty: none has
}

// isDatabase reports whether a database was named.
func (p place) isDatabase() bool { return p.catalog != "" && p.catalog != storage.EmbeddedCatalog }

// errSettingsElsewhere is for settings that are in a database which was not named.
var errSettingsElsewhere = errors.New("the users and settings of this store are in PostgreSQL: name the database with " +
	"--catalog postgres://…. To have them in the data directory again, start the server once with that and " +
	"--settings directory")

// check refuses to open a store whose settings could not be found then: before the catalog is moved away from them.
func (p place) check(want string) error {
	marker, _, err := datadir.Read(p.dir)
	switch {
	case err != nil && !errors.Is(err, datadir.ErrNotStore): // which opening the store explains
		return err
	case p.isDatabase():
		return nil
	case marker.Settings != "":
		return errSettingsElsewhere
	case want == settingsInCatalog:
		return errors.New("--settings catalog needs --catalog postgres://…, the database that they are to be in")
	}
	return nil
}

// Where --settings says that the settings are to be.
const (
	settingsInCatalog   = "catalog"
	settingsInDirectory = "directory"
)

// settled opens the settings of a store where they are to be, and moves them there if they are not; without a wish, they
// stay where they are.
func (p place) settled(ctx context.Context, want string, log *slog.Logger) (*settings.DB, error) {
	isThere, err := p.adopted(ctx)
	if err != nil {
		return nil, err
	}
	isNew := !isThere && datadir.Settings(p.dir) == ""
	now, err := p.found(ctx)
	if err == nil && isThere {
		// What a move left, or a former version has made: what counts is in the database. Where that has none, a copy that
		// was put back in the directory must stay.
		if err = datadir.RemoveSettings(p.dir); err != nil {
			return nil, errors.Join(err, now.Close())
		}
	}
	isMoved := want != "" && isThere != (want == settingsInCatalog)
	if err == nil && p.others != "" && (isMoved || !isThere) {
		return nil, errors.Join(p.notShared(isMoved), now.Close())
	}
	if err != nil || !isMoved {
		return now, err
	}
	if !isNew {
		log.Info("the settings are being moved", "to", want)
	}
	if isThere {
		err = p.moveBack(ctx, now)
	} else {
		err = p.moveThere(ctx, now)
	}
	if err := errors.Join(err, now.Close()); err != nil {
		return nil, fmt.Errorf("moving the settings: %w", err)
	}
	return p.found(ctx)
}

// notShared refuses a server whose users would not be those of the others.
func (p place) notShared(isMoved bool) error {
	if isMoved {
		return fmt.Errorf("the settings can't be moved while %w: %s. Stop it first", errOtherServer, p.others)
	}
	return fmt.Errorf("%w: %s. Servers beside each other need the same users and settings, "+
		"which are in PostgreSQL then: stop that server, start it again with --settings catalog, then start this one",
		errOtherServer, p.others)
}

// adopted reports whether the settings of a store are in the database. Where another server, with a directory of its
// own, has put them there, this one has them from now on: with none, or its own, it would let others in.
func (p place) adopted(ctx context.Context) (bool, error) {
	marker, _, err := datadir.Read(p.dir)
	if err != nil || marker.Settings != "" || !p.isDatabase() {
		return marker.Settings != "", err
	}
	read, err := settings.ReadPostgres(ctx, p.catalog)
	if err == nil {
		err = errors.Join(read.IsOf(ctx, marker.ID), read.Close())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = p.hasNoOthers(ctx)
	}
	if err != nil {
		return false, err
	}
	return true, datadir.MoveSettings(p.dir, datadir.PostgresCatalog)
}

// hasNoOthers refuses to go on with the settings in the database where those in the directory would be given up.
func (p place) hasNoOthers(ctx context.Context) error {
	if datadir.Settings(p.dir) == "" {
		return nil
	}
	set, err := settings.Open(ctx, p.dir)
	if err != nil {
		return err
	}
	has, err := set.HasAny(ctx)
	if err == nil && has {
		err = fmt.Errorf("there are users and settings of this store both in %s and in PostgreSQL. To go on with those in "+
			"PostgreSQL, move the file away; to go on with those in the file, delete the row of the table belongs there",
			filepath.Join(p.dir, settings.File))
	}
	return errors.Join(err, set.Close())
}

// copier returns what copies the settings of a store to a file, where they are not in its directory; nil: they are.
func (p place) copier() (func(ctx context.Context, path string) error, error) {
	marker, _, err := datadir.Read(p.dir)
	switch {
	case err != nil || marker.Settings == "":
		return nil, err
	case !p.isDatabase():
		return nil, errSettingsElsewhere
	}
	return func(ctx context.Context, path string) error {
		read, err := settings.ReadPostgres(ctx, p.catalog)
		if err != nil {
			return err
		}
		return errors.Join(read.CopyFile(ctx, path), read.Close())
	}, nil
}

// moveThere moves settings from the directory to the database. What is in the directory is removed once store.json says
// where they are: it has secrets, and would be an older copy.
func (p place) moveThere(ctx context.Context, from *settings.DB) error {
	to, err := settings.OpenPostgres(ctx, p.catalog)
	if err != nil {
		return err
	}
	if err := errors.Join(to.Replace(ctx, from), to.Close()); err != nil {
		return err
	}
	if err := datadir.MoveSettings(p.dir, datadir.PostgresCatalog); err != nil {
		return err
	}
	return datadir.RemoveSettings(p.dir)
}

// moveBack moves settings from the database to the directory.
func (p place) moveBack(ctx context.Context, from *settings.DB) error {
	if err := from.CopyTo(ctx, p.dir); err != nil {
		return err
	}
	if err := datadir.MoveSettings(p.dir, ""); err != nil {
		return err
	}
	return from.Clear(ctx)
}

// found opens the settings of a store. New ones let everyone in, so they are not made in place of those that were lost.
func (p place) found(ctx context.Context) (*settings.DB, error) {
	marker, _, err := datadir.Read(p.dir)
	if err != nil {
		return nil, err
	}
	if marker.Settings == "" {
		return foundSettings(ctx, p.dir, marker)
	}
	read, err := settings.ReadPostgres(ctx, p.catalog)
	if err == nil {
		err = errors.Join(read.IsOf(ctx, marker.ID), read.Close())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the users and settings of this store are not in the database that --catalog names: %w. "+
			"Name the one that has them, or put them back there from a copy of it, or make new ones with an admin's token: "+
			"rowback token create --data %s --catalog URL", err, p.dir)
	}
	if err != nil {
		return nil, err
	}
	return p.own(ctx, marker)
}

// own opens the settings of a store, or new ones, where store.json says that they are, and refuses those of another.
func (p place) own(ctx context.Context, marker datadir.Marker) (*settings.DB, error) {
	switch {
	case marker.Settings == "":
		return ownSettings(ctx, p.dir, marker)
	case !p.isDatabase():
		return nil, errSettingsElsewhere
	}
	set, err := settings.OpenPostgres(ctx, p.catalog)
	if err != nil {
		return nil, err
	}
	return belonging(ctx, set, marker)
}

// foundSettings opens the settings in a data directory, if they were not lost: where there is an audit log, or
// store.json says that there were users, there were settings.
func foundSettings(ctx context.Context, dir string, marker datadir.Marker) (*settings.DB, error) {
	if datadir.Settings(dir) == "" {
		logs, err := datadir.AuditFiles(dir)
		if err != nil {
			return nil, err
		}
		if len(logs) > 0 || marker.IsGuarded {
			return nil, lost(dir, "is missing")
		}
	}
	set, err := ownSettings(ctx, dir, marker)
	if err != nil || !marker.IsGuarded {
		return set, err
	}
	known, err := accounts.Open(ctx, set, nil, nil)
	if err == nil && !isClosed(known) {
		err = lost(dir, "has no users, and had some")
	}
	if err != nil {
		return nil, errors.Join(err, set.Close())
	}
	return set, nil
}

// lost refuses to start without the users that there were.
func lost(dir, how string) error {
	return fmt.Errorf("%s %s. It has users, tokens, webhooks and quotas, and without them everyone would be "+
		"let in. Put it back from a backup, or make a new one with an admin's token: rowback token create --data %s",
		filepath.Join(dir, settings.File), how, dir)
}

// ownSettings opens the settings in the directory of a store, or new ones, and refuses those of another.
func ownSettings(ctx context.Context, dir string, marker datadir.Marker) (*settings.DB, error) {
	set, err := settings.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	if marker.ID == "" { // of a version before store.json, which the next start writes
		return set, nil
	}
	return belonging(ctx, set, marker)
}

// belonging returns settings that are those of a store. In one that was restored from a backup, sessions have ended, and
// webhooks wait until an admin enables them: the store that was backed up may go on.
func belonging(ctx context.Context, set *settings.DB, marker datadir.Marker) (*settings.DB, error) {
	err := set.Belong(ctx, marker.ID, marker.RestoredAt, func(tx *sql.Tx) error {
		return errors.Join(accounts.EndAllSessions(tx), webhooks.DisableAll(tx, "This store was restored from a backup. "+
			"Enable the webhook if this one is to send its messages, and not the store that was backed up."))
	})
	if err != nil {
		return nil, errors.Join(err, set.Close())
	}
	return set, nil
}
