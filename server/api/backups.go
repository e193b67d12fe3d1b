package api

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
)

// backupView is a kept archive of one version.
type backupView struct {
	ID          string    `json:"id"`
	DatasetID   string    `json:"dataset_id"`
	Ref         string    `json:"ref"`
	CommitID    int64     `json:"commit_id"`
	Description string    `json:"description"`
	Bytes       int64     `json:"bytes"`
	SHA256      string    `json:"sha256"`
	User        string    `json:"user"`
	CreatedAt   time.Time `json:"created_at"`
	Archive     string    `json:"archive" description:"The URL of the archive."`
}

// backupPath returns the path of a backup's resource.
func backupPath(b catalog.Backup) string {
	return fmt.Sprintf("/api/v1/datasets/%s/backups/%s", b.DatasetID, b.ID)
}

// viewBackup returns a backup as clients see it, with the URL of its archive: the archive itself may be large.
func viewBackup(b catalog.Backup) backupView {
	return backupView{
		ID: b.ID, DatasetID: b.DatasetID, Ref: b.Ref, CommitID: b.CommitID, Description: b.Description, Bytes: b.Bytes,
		SHA256: b.Checksum, User: b.User, CreatedAt: b.CreatedAt, Archive: backupPath(b) + "/archive.tar",
	}
}

// createBackupIn is the request for a backup of a dataset at a ref.
type createBackupIn struct {
	datasetIn
	headerIn
	Ref            string `json:"ref" default:"head" description:"${refs}."`
	Description    string `json:"description"`
	ParquetVersion *int   `json:"parquet_version" minimum:"1" maximum:"2" default:"1" description:"${parquet_version}"`
}

// createBackup writes an archive with the records, schema and properties of a state. Every file is verified first.
func (a *API) createBackup(c *fiber.Ctx, d catalog.Dataset, in createBackupIn) error {
	pages, err := pagesIn{in.ParquetVersion}.pages()
	if err != nil {
		return err
	}
	n := storage.NewBackup{Ref: in.Ref, Description: in.Description, Pages: pages}
	return run(a, write[catalog.Backup]{
		c: c, header: in.header(), about: "Creating the backup",
		tell: func(b catalog.Backup) (calls.Answer, error) {
			return say(http.StatusCreated, backupPath(b), viewBackup(b))
		},
		do: func(ctx context.Context, r storage.Request) (catalog.Backup, error) {
			return a.store.Backups.Make(ctx, d.ID, n, r)
		},
	})
}

// backupList is all backups of a dataset. They are made by hand and few, so the list has no pages.
type backupList struct {
	Backups []backupView `json:"backups"`
}

// listBackups lists the backups of a dataset, newest first.
func (a *API) listBackups(c *fiber.Ctx, d catalog.Dataset, _ datasetIn) error {
	list, err := a.store.Backups.List(c.UserContext(), d.ID)
	if err != nil {
		return err
	}
	return ok(c, backupList{views(list, viewBackup)})
}

// oneBackupIn identifies a backup.
type oneBackupIn struct {
	datasetIn
	Backup string `path:"backup" required:"true" json:"-"`
}

// backup finds the backup that a request names.
func (a *API) backup(ctx context.Context, in oneBackupIn) (catalog.Backup, error) {
	d, err := a.dataset(ctx, in.datasetIn)
	if err != nil {
		return catalog.Backup{}, err
	}
	return a.store.Backups.Find(ctx, d.ID, in.Backup)
}

// getBackup describes one backup, without its archive.
func (a *API) getBackup(c *fiber.Ctx, b catalog.Backup, _ oneBackupIn) error {
	return ok(c, viewBackup(b))
}

// archiveIn asks for the archive of a backup.
type archiveIn struct {
	oneBackupIn
	partIn
}

// getArchive sends the archive of a backup, or the part of it that the request asks for.
func (a *API) getArchive(c *fiber.Ctx, b catalog.Backup, _ archiveIn) error {
	f, err := a.store.Backups.Open(c.UserContext(), b, asksForPart(c))
	if err != nil {
		return err
	}
	return a.sendFile(c, f, "application/x-tar", "backup-"+b.ID+".tar", b.CreatedAt)
}

// deleteBackupIn is the request to remove a backup.
type deleteBackupIn struct {
	oneBackupIn
	headIn
}

// deleteBackup removes a backup and its archive, for good.
func (a *API) deleteBackup(c *fiber.Ctx, b catalog.Backup, in deleteBackupIn) error {
	return remove(a, c, in.header(), "Removing the backup", func(ctx context.Context, r storage.Request) error {
		return a.store.Backups.Remove(ctx, b, r)
	})
}

// restoreBackupIn is the request to restore a backup. With a name it creates a dataset, whose project may be given;
// without one it restores the backup's own dataset.
type restoreBackupIn struct {
	oneBackupIn
	headerIn
	Name    string `json:"name" description:"Create a new dataset with this name, instead of restoring this one."`
	Project int64  `json:"project_id" description:"Of the new dataset."`
	Message string `json:"message"`
}

// restoreBackup restores the dataset from a backup, as one commit, or creates a new dataset from it.
func (a *API) restoreBackup(c *fiber.Ctx, b catalog.Backup, in restoreBackupIn) error {
	if in.Name != "" {
		return run(a, write[snapshot.State]{
			c: c, header: in.header(), about: "Creating a dataset from the backup", tell: tellDataset(http.StatusCreated),
			do: func(ctx context.Context, r storage.Request) (snapshot.State, error) {
				r.Message = in.Message
				return withBackup(ctx, a, b, func(archive *storage.File) (snapshot.State, error) {
					return a.store.CreateFromBackup(ctx, archive, in.Name, in.Project, r)
				})
			},
		})
	}
	return run(a, write[catalog.Commit]{
		c: c, header: in.header(), about: "Restoring the backup", tell: tellCommit,
		do: func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
			r.Message = in.Message
			return withBackup(ctx, a, b, func(archive *storage.File) (catalog.Commit, error) {
				return a.store.RestoreBackup(ctx, b.DatasetID, archive, r)
			})
		},
	})
}

// restoredView is the answer to restoreBackup: the commit, or the new dataset.
type restoredView struct{}

// JSONSchemaAnyOf describes the two.
func (restoredView) JSONSchemaAnyOf() []any { return []any{commitView{}, datasetView{}} }

// withBackup opens a backup's archive for a function. It is verified when it is opened, so nothing is taken from a
// damaged one.
func withBackup[T any](
	ctx context.Context, a *API, b catalog.Backup, do func(*storage.File) (T, error),
) (result T, err error) {
	archive, err := a.store.Backups.Open(ctx, b, false)
	if err != nil {
		return result, err
	}
	defer archive.Close()
	return do(archive)
}

// importBackupIn is the request to create a dataset from an archive in the body.
type importBackupIn struct {
	headerIn
	Name      string `query:"name" description:"Of the new dataset; empty: as in the archive." json:"-"`
	ProjectID int64  `query:"project_id" default:"1" json:"-"`
}

// archiveFormat is that of a backup's archive, which is not records.
const archiveFormat intake.Format = "tar"

// importBackup creates a dataset from an archive that the client sends.
func (a *API) importBackup(c *fiber.Ctx) error {
	var in importBackupIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	// Before the archive is read: whoever may not create the dataset sends it in vain.
	if err := permit.Check(host.Caller(c), max(in.ProjectID, 1), access.Writer); err != nil {
		return err
	}
	upload, sent, err := a.stageAs(c, archiveFormat, calls.Stage)
	if err != nil {
		return err
	}
	return run(a, write[snapshot.State]{
		c: c, header: in.header(), about: "Creating a dataset from the backup", fingerprint: sent.SHA256,
		tell:  tellDataset(http.StatusCreated),
		after: upload.Remove,
		do: func(ctx context.Context, r storage.Request) (snapshot.State, error) {
			// The client's own file in staging, and not an object of the store: upload.Remove removes it.
			archive, err := os.Open(upload.Path)
			if err != nil {
				return snapshot.State{}, err
			}
			defer archive.Close()
			return a.store.CreateFromBackup(ctx, archive, in.Name, in.ProjectID, r)
		},
	})
}
