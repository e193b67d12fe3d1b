package storage

import (
	"archive/tar"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/verify"
)

// A backup is one version of a dataset as one self-contained archive (seed 000, "Backup and Recovery"): a tar with
// backup.json, which says what it is, and data.parquet, which any reader of Parquet can open.
const (
	backupManifest = "backup.json"
	backupData     = "data.parquet"
)

// backupContents is backup.json. Schema and properties are as the catalog has them, with field ids that mean nothing in
// another store: a restore goes by the names.
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

// Backups are the archives that are kept beside datasets.
type Backups struct {
	*journal
	*Files
	*Staging
	history  *History
	requests *Requests
}

// NewBackup is what a backup shall be.
type NewBackup struct {
	Ref         string // empty: head
	Description string
	Pages       datafile.Pages // of its Parquet file; 0: version 1
}

// Make writes a version of a dataset to an archive that is kept beside the dataset.
func (bs *Backups) Make(ctx context.Context, dataset string, n NewBackup, r Request) (b catalog.Backup, err error) {
	n.Ref = cmp.Or(n.Ref, "head")
	era, err := bs.eraOf(ctx, dataset)
	if err != nil {
		return b, err
	}
	snap, err := bs.history.Snapshot(ctx, dataset, n.Ref)
	if err != nil {
		return b, err
	}
	// No lock is held: the snapshot stays what it is, whatever is committed meanwhile.
	if err := r.expects(snap.Dataset); err != nil {
		return b, err
	}
	b = catalog.Backup{
		ID: bs.newID(), DatasetID: dataset, CommitID: snap.Commit.ID, Ref: n.Ref, Description: n.Description,
		User: r.User, CreatedAt: bs.now(),
	}
	batch, err := bs.blobs.Batch(backupKey(b))
	if err != nil {
		return b, err
	}
	defer batch.Discard()
	b.Key = batch.Key("archive.tar")
	if err := bs.writeArchive(ctx, snap, n, batch.Path("archive.tar")); err != nil {
		return b, err
	}
	// Of the whole archive, which is verified before it is sent or restored.
	if b.Checksum, b.Bytes, err = bs.checksumOf(batch.Path("archive.tar")); err != nil {
		return b, err
	}
	// From here on it is complete: a client that leaves must not leave half of it behind.
	return b, bs.keep(context.WithoutCancel(ctx), batch, b, era, r)
}

// eraOf returns the era of a dataset's family.
func (bs *Backups) eraOf(ctx context.Context, dataset string) (era familyEra, err error) {
	d, err := bs.history.anyDataset(ctx, dataset)
	if err != nil {
		return era, err
	}
	err = bs.catalog.Read(ctx, func(tx catalog.Tx) error { era, err = familyEraOf(tx, d.FamilyID); return err })
	return era, err
}

// keep publishes an archive with its label beside it, and records it.
func (bs *Backups) keep(
	ctx context.Context, batch *blob.Batch, b catalog.Backup, era familyEra, r Request,
) (err error) {
	if err := bs.halted(); err != nil {
		return err
	}
	// While rows are removed, those who ask for that are told which backups have them.
	unlock, err := bs.catalog.Lock(ctx, forkLock(era.family))
	if err != nil {
		return err
	}
	defer unlock()
	var a answers
	err = bs.catalog.Read(ctx, func(tx catalog.Tx) error {
		if err := era.goesOn(tx); err != nil {
			return err
		}
		a, err = answer(bs.requests, tx, r, b)
		return err
	})
	if err != nil {
		return err
	}
	text, err := sealed(backupLabel{Backup: b, answers: a})
	if err != nil {
		return err
	}
	if err := errors.Join(bs.hasDirectory(b.DatasetID), batch.Write(backupManifest, text)); err != nil {
		return err
	}
	if r.Preview != nil {
		return nil // the archive goes with its batch
	}
	// Published first and recorded second, as commits are: a start finds an archive without a row, but a row without an
	// archive would be damage.
	if err = batch.Publish(); err == nil {
		err = bs.catalog.Write(ctx, func(tx catalog.Tx) error { return errors.Join(tx.AddBackup(b), a.record(tx)) })
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, catalog.ErrUncertain):
		return bs.halt(err)
	}
	if err2 := bs.blobs.TakeBack(backupKey(b)); err2 != nil {
		return bs.halt(errors.Join(err, err2))
	}
	return err
}

// backupKey is the directory of a backup.
func backupKey(b catalog.Backup) string { return b.DatasetID + "/" + backupsDir + "/" + b.ID }

// writeArchive makes the archive of a snapshot under staging: its records as one Parquet file, and what is said of
// them.
func (bs *Backups) writeArchive(ctx context.Context, snap *snapshot.Snapshot, n NewBackup, path string) error {
	// A backup of damaged files would hide the damage until it is needed.
	if err := bs.readWhole(ctx, snap.Files()); err != nil {
		return err
	}
	conn, err := bs.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	snap = snap.AsWritten() // these files were read whole
	data := bs.blobs.Scratch(backupData)
	defer bs.blobs.RemoveScratch(data)
	query := snap.StoredTable()
	if snap.Total() <= snapshot.Sortable {
		query += snap.Order() // so that the same version gives the same archive, whatever thread reads what first
	}
	_, err = datafile.CopyQuery(ctx, conn, query, data, cmp.Or(n.Pages, datafile.PagesV1),
		datafile.Labels(snap.TableColumns()))
	if err != nil {
		return err
	}
	about := backupContents{
		Dataset: snap.Properties.Name, Ref: n.Ref, Commit: snap.Commit.ID, CreatedAt: bs.now(), Records: snap.Total(),
		Schema: snap.Schema, Properties: snap.Properties,
	}
	for _, c := range snap.Schema.KeyColumns() {
		if snap.Schema.Keyed() {
			about.Key = append(about.Key, c.Name)
		}
	}
	if about.Checksum, _, err = bs.checksumOf(data); err != nil {
		return err
	}
	text, err := json.MarshalIndent(about, "", "  ")
	if err != nil {
		return err
	}
	return bs.writeTar(path, text, data)
}

// writeTar puts the description before the records: whoever reads the archive as a stream knows the checksum first.
func (bs *Backups) writeTar(path string, manifest []byte, data string) (err error) {
	out, err := bs.blobs.CreateScratch(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	in, err := bs.blobs.OpenUnpublished(data)
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

// List lists a dataset's backups, newest first.
func (bs *Backups) List(ctx context.Context, dataset string) (list []catalog.Backup, err error) {
	err = bs.catalog.Read(ctx, func(tx catalog.Tx) error { list, err = tx.Backups(dataset); return err })
	return list, err
}

// Find returns one backup of a dataset.
func (bs *Backups) Find(ctx context.Context, dataset, id string) (b catalog.Backup, err error) {
	err = bs.catalog.Read(ctx, func(tx catalog.Tx) error {
		b, err = tx.Backup(dataset, id)
		return orNotFound(err, "backup_not_found", "Backup '%s' not found", fault.Clip(id))
	})
	return b, err
}

// Open opens a backup's archive after its checksum is verified; with part, a recent verification is enough.
func (bs *Backups) Open(ctx context.Context, b catalog.Backup, part bool) (*File, error) {
	return bs.openObject(ctx, verify.Archive(b), part)
}

// Remove removes a backup and its archive. A label says so first: an archive that is missing without one is damage.
// Backups are not history: nothing brings a removed one back.
func (bs *Backups) Remove(ctx context.Context, b catalog.Backup, r Request) error {
	err := bs.label(context.WithoutCancel(ctx), r, func(tx catalog.Tx, l *labels) error {
		d, err := tx.Dataset(b.DatasetID)
		if err == nil {
			err = r.expects(d)
		}
		if err != nil {
			return err
		}
		if err := tx.RemoveBackup(b.ID); err != nil {
			return err
		}
		a, err := bs.keptAt(backupKey(b) + "/" + backupManifest) // or a request that is sent again would make another
		if err != nil && fault.KindOf(err) != fault.Corrupt {    // a damaged backup can be removed
			return err
		}
		return l.put(b.DatasetID, backupPrefix+b.ID, backupLabel{Backup: b, RemovedAt: bs.now(), answers: a})
	})
	if err != nil || r.Preview != nil {
		return err
	}
	if err := bs.blobs.Remove(backupKey(b)); err != nil {
		bs.log.Warn("the archive of a removed backup is left", "backup", b.ID, "error", err)
	}
	bs.verifier.Forget(b.Key)
	return nil
}

// backupPrefix begins the names of the labels of backups that were removed. Older versions kept all backups' labels
// there.
const backupPrefix = "backup-"
