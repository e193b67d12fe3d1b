package cli

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/server/webhooks"
	"github.com/rowback/rowback/storage/datadir"
)

// foundSettings opens the settings of a data directory. New ones let everyone in, so they are not made in place of
// those that were lost: where there is an audit log, or store.json says that there were users, there were settings.
func foundSettings(ctx context.Context, dir string) (*settings.DB, error) {
	marker, _, err := datadir.Read(dir)
	if err != nil {
		return nil, err
	}
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
	if err == nil && !known.IsClosed() {
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

// ownSettings opens the settings of a store, and refuses those of another. In a store that was restored from a backup,
// sessions have ended, and webhooks wait until an admin enables them: the store that was backed up may go on.
func ownSettings(ctx context.Context, dir string, marker datadir.Marker) (*settings.DB, error) {
	set, err := settings.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	if marker.ID == "" { // of a version before store.json, which the next start writes
		return set, nil
	}
	err = set.Belong(ctx, marker.ID, marker.RestoredAt, func(tx *sql.Tx) error {
		return errors.Join(accounts.EndAllSessions(tx), webhooks.DisableAll(tx, "This store was restored from a backup. "+
			"Enable the webhook if this one is to send its messages, and not the store that was backed up."))
	})
	if err != nil {
		return nil, errors.Join(err, set.Close())
	}
	return set, nil
}
