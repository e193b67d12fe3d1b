package storage

import (
	"context"
	"errors"
	"syscall"

	"github.com/rowback/rowback/storage/backup"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/fault"
)

// explainTarget returns what a client is told of an error of a target.
func explainTarget(ctx context.Context, err error) error {
	errno := errnoOf(err)
	var damaged *backup.FileError
	switch {
	case err == nil || ctx.Err() != nil || fault.KindOf(err) != fault.Internal:
		return err
	case errors.As(err, &damaged):
		return errBackupDamaged(damaged).Because(err)
	case errors.Is(err, bucket.ErrAway) && !errors.Is(err, backup.ErrAway):
		return err // it is the one of the store's own objects
	case errors.Is(err, bucket.ErrFull):
		return fault.Errorf(fault.Unavailable, "backup_disk_full",
			"The bucket of the backups takes no more: it is full, or its quota is used up. The earlier backups are as they "+
				"were; make room there, or prune them.").Because(err)
	case errors.Is(err, backup.ErrAway):
		return fault.Errorf(fault.Unavailable, "backup_bucket_unavailable",
			"The bucket of the backups does not answer, or refuses this server. The earlier backups are as they were; the "+
				"server's log has the reason. Check its address and the credentials, then ask again.").Because(err)
	case errors.Is(err, errInObjects):
		return fault.Errorf(fault.Conflict, "backup_target_taken",
			"The place for backups is in the bucket of the store's own objects. Start the server with another --backup-to.").
			Because(err)
	case errors.Is(err, backup.ErrInUse):
		return fault.Errorf(fault.Conflict, "backup_running",
			"Another backup, pruning or check of the backups is running. Ask again when it is done.").Because(err)
	case errors.Is(err, backup.ErrOther) || errors.Is(err, backup.ErrNotTarget):
		return fault.Errorf(fault.Conflict, "backup_target_taken",
			"The place for backups has something else, or the backups of another store. "+
				"Start the server with another --backup-to.").Because(err)
	case errno == syscall.ENOSPC || errno == syscall.EDQUOT:
		return fault.Errorf(fault.Unavailable, "backup_disk_full",
			"The disk of the backups is full. The earlier backups are as they were; make room there, or prune them.").
			Because(err)
	}
	return fault.Errorf(fault.Unavailable, "backup_failed",
		"The backup could not be written or read. The earlier ones are as they were; the server's log has the reason.").
		Because(err)
}

// errBackupDamaged says which file of which backup is damaged.
func errBackupDamaged(damaged *backup.FileError) *fault.Error {
	what := "is not what was written"
	if errors.Is(damaged, backup.ErrMissing) {
		what = "is missing"
	}
	return fault.Errorf(fault.Corrupt, "backup_damaged",
		"Backup %s is damaged: %s %s (%s in the place of the backups). Use another backup. If the store still has the file, "+
			"rowback backup check --remove-damaged and a new backup copy it again.",
		damaged.Backup, damaged.File, what, damaged.Place).
		With("backup", damaged.Backup).With("file", damaged.File)
}
