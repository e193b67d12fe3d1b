package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/rowback/rowback/server/webhooks"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/fault"
)

// backupFlags say where the server's backups go, and when it makes them.
type backupFlags struct {
	BackupTo    backupPlace `help:"${backup_to}" placeholder:"DIR|URL"`
	BackupEvery duration    `help:"${backup_every}" default:"24h"`
	BackupKeep  int         `help:"How many complete backups are kept; older ones are removed." default:"7" placeholder:"N"`
}

// check refuses backups within the data directory: whatever takes that, takes them.
func (f backupFlags) check(data string) error {
	if f.BackupTo == "" {
		return nil
	}
	if f.BackupKeep < 1 {
		return errors.New("--backup-keep: keep at least 1 backup")
	}
	if bucket.Is(string(f.BackupTo)) {
		return nil // the store knows where its objects are
	}
	dir, errData := filepath.Abs(data)
	to, errTo := filepath.Abs(string(f.BackupTo))
	if err := errors.Join(errData, errTo); err != nil {
		return err
	}
	if to == dir || strings.HasPrefix(to, dir+string(filepath.Separator)) {
		return fmt.Errorf("--backup-to %s is in the data directory. Name a directory on another disk", f.BackupTo)
	}
	return nil
}

// keep makes backups in the background. The returned function stops it and waits.
func (f backupFlags) keep(ctx context.Context, store *storage.Store) (stop func()) {
	if f.BackupTo == "" || f.BackupEvery <= 0 {
		return func() {}
	}
	return inBackground(ctx, func(ctx context.Context) {
		store.Copies.Keep(ctx, storage.BackupPlan{Every: time.Duration(f.BackupEvery), Keep: f.BackupKeep})
	})
}

// tellOfBackups has webhooks told of each backup that fails.
func tellOfBackups(store *storage.Store, hooks *webhooks.Hooks, log *slog.Logger) {
	store.Copies.Failed = func(ctx context.Context, err error) {
		e := webhooks.Event{Kind: webhooks.BackupFailed, Data: map[string]any{"detail": err.Error()}}
		if f := new(fault.Error); errors.As(err, &f) {
			e.Data["code"] = f.Code
		}
		if err := hooks.Post(ctx, e); err != nil {
			log.Error("webhooks could not be told of a backup that failed", "error", err)
		}
	}
}
