package storage

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"rowback/storage/blob"
	"rowback/storage/catalog"
	"rowback/storage/datafile"
	"rowback/storage/fault"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
	"rowback/storage/verify"
)

// A backup is one version of a dataset as one self-contained archive (seed 000, "Backup and Recovery"): a tar with
// backup.json, which says what it is, and data.parquet, which any reader of Parquet can open.
const (
	backupManifest = "backup.json"
	backupData     = "data.parquet"
)

// backupContents is backup.json.
type backupContents struct {
	Dataset    string             `json:"dataset"`
	Ref        string             `json:"ref"`
	Commit     int64              `json:"commit"`
	CreatedAt  time.Time          `json:"created_at"`
	Records    int64              `json:"records"`
	Checksum   string             `json:"data_sha256"`
	Key        []string           `json:"key"`
	Schema     schema.Schema      `json:"schema"`
	Properties catalog.Properties `json:"properties"`
}

// Backup writes a version of a dataset to an archive that is kept beside the dataset.
func (s *Store) Backup(ctx context.Context, dataset, ref, description string, r Request) (b catalog.Backup, err error) {
	snap, err := s.Snapshot(ctx, dataset, ref)
	if err != nil {
		return b, err
	}
	if head := snap.Dataset.Head; r.ExpectedHead != nil && *r.ExpectedHead != head {
		return b, fault.Errorf(fault.Conflict, "stale_head",
			"The head of dataset '%s' is commit %d, not %d.",
			snap.Dataset.Name, head, *r.ExpectedHead).With("head", head)
	}
	if ref == "" {
		ref = "head"
	}
	b = catalog.Backup{
		ID: s.newID(), DatasetID: dataset, CommitID: snap.Commit.ID, Ref: ref, Description: description,
		User: r.User, CreatedAt: s.now(),
	}
	batch, err := s.blobs.Batch(backupKey(b))
	if err != nil {
		return b, err
	}
	defer batch.Discard()
	b.Key = batch.Key("archive.tar")
	if err := s.writeArchive(ctx, snap, ref, batch.Path("archive.tar")); err != nil {
		return b, err
	}
	if b.Checksum, b.Bytes, err = s.checksumOf(batch.Path("archive.tar")); err != nil {
		return b, err
	}
	return b, s.keepBackup(context.WithoutCancel(ctx), batch, b, r)
}

// keepBackup publishes an archive with its label beside it, and records it.
func (s *Store) keepBackup(ctx context.Context, batch *blob.Batch, b catalog.Backup, r Request) (err error) {
	if err := s.halted(); err != nil {
		return err
	}
	var a answers
	if err := s.catalog.Read(ctx, func(tx catalog.Tx) error { a, err = answer(s.Requests, tx, r, b); return err }); err != nil {
		return err
	}
	text, err := sealed(backupLabel{Backup: b, answers: a})
	if err != nil {
		return err
	}
	if err := errors.Join(s.hasFolder(b.DatasetID), batch.Write(backupManifest, text)); err != nil {
		return err
	}
	if err = batch.Publish(); err == nil {
		err = s.catalog.Write(ctx, func(tx catalog.Tx) error { return errors.Join(tx.AddBackup(b), a.record(tx)) })
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, catalog.ErrUncertain):
		return s.halt(err)
	}
	if err2 := s.blobs.Remove(backupKey(b)); err2 != nil {
		return s.halt(errors.Join(err, err2))
	}
	return err
}

// backupKey is the folder of a backup.
func backupKey(b catalog.Backup) string { return b.DatasetID + "/" + backupsFolder + "/" + b.ID }

func (s *Store) writeArchive(ctx context.Context, snap *snapshot.Snapshot, ref, path string) error {
	if err := s.readWhole(ctx, snap.Files()); err != nil {
		return err
	}
	conn, err := s.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	data := s.blobs.Scratch(backupData)
	defer s.blobs.RemoveScratch(data)
	if _, err := datafile.CopyQuery(ctx, conn, snap.StoredTable(), data, ""); err != nil {
		return err
	}
	about := backupContents{
		Dataset: snap.Properties.Name, Ref: ref, Commit: snap.Commit.ID, CreatedAt: s.now(), Records: snap.Total(),
		Schema: snap.Schema, Properties: snap.Properties,
	}
	for _, c := range snap.Schema.KeyColumns() {
		if snap.Schema.Keyed() {
			about.Key = append(about.Key, c.Name)
		}
	}
	if about.Checksum, _, err = s.checksumOf(data); err != nil {
		return err
	}
	text, err := json.MarshalIndent(about, "", "  ")
	if err != nil {
		return err
	}
	return s.writeTar(path, text, data)
}

func (s *Store) writeTar(path string, manifest []byte, data string) (err error) {
	out, err := s.blobs.CreateScratch(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	in, err := s.blobs.OpenUnpublished(data)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	w := tar.NewWriter(out)
	if err := w.WriteHeader(&tar.Header{Name: backupManifest, Mode: 0o644, Size: int64(len(manifest))}); err != nil {
		return err
	}
	if _, err := w.Write(manifest); err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: backupData, Mode: 0o644, Size: info.Size()}); err != nil {
		return err
	}
	if _, err := io.Copy(w, in); err != nil {
		return err
	}
	return w.Close()
}

// Backups lists a dataset's backups, newest first.
func (s *Store) Backups(ctx context.Context, dataset string) (list []catalog.Backup, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error { list, err = tx.Backups(dataset); return err })
	return list, err
}

// FindBackup returns one backup of a dataset.
func (s *Store) FindBackup(ctx context.Context, dataset, id string) (b catalog.Backup, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error {
		b, err = tx.Backup(dataset, id)
		return known(err, "backup_not_found", "Backup '%s' not found", fault.Clip(id))
	})
	return b, err
}

// OpenBackup opens a backup's archive, once it was read whole for its checksum; part: lately.
func (s *Store) OpenBackup(ctx context.Context, b catalog.Backup, part bool) (*File, error) {
	return s.openObject(ctx, verify.Archive(b), part)
}

// RemoveBackup removes a backup and its archive. A label says so first: an archive that is missing without one is
// damage.
func (s *Store) RemoveBackup(ctx context.Context, b catalog.Backup) error {
	err := s.label(context.WithoutCancel(ctx), func(tx catalog.Tx, l *labels) error {
		if err := tx.RemoveBackup(b.ID); err != nil {
			return err
		}
		a, err := s.keptAt(backupKey(b) + "/" + backupManifest) // or a request that is sent again would make another
		if err != nil && fault.KindOf(err) != fault.Corrupt {   // a damaged backup can be removed
			return err
		}
		return l.put(b.DatasetID, backupPrefix+b.ID, backupLabel{Backup: b, RemovedAt: s.now(), answers: a})
	})
	if err != nil {
		return err
	}
	if err := s.blobs.Remove(backupKey(b)); err != nil {
		s.log.Warn("the archive of a removed backup is left", "backup", b.ID, "error", err)
	}
	s.verifier.Forget(b.Key)
	return nil
}

// backupPrefix begins the names of the labels of backups that were removed. Older versions kept all backups' labels
// there.
const backupPrefix = "backup-"
