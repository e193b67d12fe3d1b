package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/rowback/rowback/storage/backup"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/datadir"
)

// backupPlaces opens places of backups by their names: directories, and addresses of buckets such as
// s3://bucket/prefix.
type backupPlaces struct {
	options Options
	// own returns the bucket of the store's objects; nil: they are not in one. Backups are kept apart from them.
	own func() *bucket.Bucket
}

// backupPlaces are those of functions without an open store.
func (o Options) backupPlaces() backupPlaces {
	return backupPlaces{o, func() *bucket.Bucket { return nil }}
}

// errInObjects is for backups in the place of what they are of.
var errInObjects = errors.New("that is in the bucket of the store's own objects: name another bucket, best one of " +
	"another provider or account, or a prefix beside --objects")

// where returns where the backups of that name are.
func (p backupPlaces) where(name string) (w backup.Where, err error) {
	if !bucket.Is(name) {
		return backup.Where{Dir: name, Hook: p.options.Hook}, nil
	}
	via := ObjectStore{}
	if p.options.BackupBucket != nil {
		via = *p.options.BackupBucket
	}
	via.URL = name
	b, err := via.open()
	if err != nil {
		return w, err
	}
	if own := p.own(); own != nil && own.Overlaps(b) {
		return w, errInObjects
	}
	return backup.Where{Bucket: b, Lease: p.options.BackupLease}, nil
}

// open opens backups for reading.
func (p backupPlaces) open(ctx context.Context, name string) (*backup.Target, error) {
	w, err := p.where(name)
	if err != nil {
		return nil, err
	}
	return backup.Open(ctx, w)
}

// locate opens the target of a backup, by the name of the backup or of the target (backup.Split).
func (p backupPlaces) locate(ctx context.Context, name string) (*backup.Target, backup.Manifest, error) {
	target, id := backup.Split(name)
	w, err := p.where(target)
	if err == nil {
		var t *backup.Target
		var m backup.Manifest
		if t, m, err = backup.Locate(ctx, w, id); err == nil {
			return t, m, nil
		}
	}
	return nil, backup.Manifest{}, fmt.Errorf("the backup can't be used: %w", err)
}

// CopyBackupSettings writes the settings that a backup has to a file; has is false where it has none.
func CopyBackupSettings(ctx context.Context, name, path string, o Options) (has bool, err error) {
	t, m, err := o.backupPlaces().locate(ctx, name)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	if m.Settings == nil {
		return false, nil
	}
	var text bytes.Buffer
	if err := t.FetchAs(ctx, m, datadir.SettingsFile, *m.Settings, &text); err != nil {
		return false, err
	}
	return true, datadir.WriteSettings(path, text.Bytes())
}

// FindBackup returns the backup that a name stands for: that of a manifest, or of a target, whose newest it is.
func FindBackup(ctx context.Context, name string, o Options) (backup.Manifest, error) {
	t, m, err := o.backupPlaces().locate(ctx, name)
	if err != nil {
		return m, err
	}
	return m, t.Close()
}
