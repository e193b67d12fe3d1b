package main

import (
	"context"
	"fmt"
	"path/filepath"

	"rowback/server/settings"
	"rowback/storage/datadir"
)

// foundSettings opens the settings of a data directory. New ones let everyone in, so they are not made in place of
// those that were lost: where there is an audit log, there were settings.
func foundSettings(ctx context.Context, dir string) (*settings.DB, error) {
	if datadir.Settings(dir) == "" {
		logs, err := datadir.AuditFiles(dir)
		if err != nil {
			return nil, err
		}
		if len(logs) > 0 {
			return nil, fmt.Errorf("%s is missing. It has users, tokens, webhooks and quotas, and without it everyone would be "+
				"let in. Put it back from a backup, or make a new one with an admin's token: rowback token create --data %s",
				filepath.Join(dir, settings.File), dir)
		}
	}
	return settings.Open(ctx, dir)
}
