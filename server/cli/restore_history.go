package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/backup"
)

// history makes a dataset with all the history of one in a backup: by the server, from its own backups, or in a
// directory that no server has open, from any.
func (cmd *backupRestoreCmd) history(c console) error {
	ctx, stop := untilStopped()
	defer stop()
	if cmd.Data != "" {
		return cmd.localHistory(ctx, c)
	}
	project, name, err := cmd.wanted()
	if err != nil {
		return err
	}
	id := backup.IDOf(string(cmd.Backup))
	if id == "" { // a place: its newest, by name, so that the server does not take one of another place
		m, err := storage.FindBackup(ctx, string(cmd.Backup), cmd.options())
		if err != nil {
			return err
		}
		id = m.ID
	}
	body := map[string]any{"dataset": name, "project_id": project, "name": cmd.As}
	if cmd.Into != "" {
		body["into_project_id"] = cmd.Into
	}
	var made restoredAnswer
	if err := cmd.work(c, "/api/v1/store/backups/"+id+"/datasets", nil, body, &made); err != nil {
		return err
	}
	return made.show(c)
}

// restoredAnswer is a dataset that was restored with its history.
type restoredAnswer struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Records int64  `json:"records_total"`
}

func (a restoredAnswer) show(c console) error {
	return c.answer(a, func() {
		c.printf("dataset %s (%s): %s, with its history; the digest of every state was compared with the backup\n",
			a.Name, a.ID, countOf(a.Records, "record"))
	})
}

// localHistory restores into a store that no server has open.
func (cmd *backupRestoreCmd) localHistory(ctx context.Context, c console) (err error) {
	project, name, err := cmd.inBackup(ctx)
	if err != nil {
		return err
	}
	if _, err := storage.Inspect(ctx, cmd.Data, false, storage.Options{}); errors.Is(err, storage.ErrNotStore) {
		return err // or it would be made one
	}
	g := storage.Graft{Backup: string(cmd.Backup), Project: project, Dataset: name, Name: cmd.As}
	if cmd.Into != "" {
		if g.Into, err = cmd.Into.in(ctx, place{dir: cmd.Data, catalog: cmd.Catalog}); err != nil {
			return fmt.Errorf("--into: %w", err)
		}
	}
	store, err := storage.Open(ctx, cmd.Data, storage.Options{
		Program: version, Catalog: cmd.Catalog, CatalogThere: true, BackupBucket: cmd.at(""),
	})
	if errors.Is(err, storage.ErrInUse) {
		return fmt.Errorf("%w, or have it restore the dataset from its own backups: leave out --data", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	made, err := store.Graft(ctx, g, storage.Request{})
	if err != nil {
		return err
	}
	return restoredAnswer{made.Dataset.ID, made.Properties.Name, made.Total()}.show(c)
}
