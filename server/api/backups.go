package api

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/gofiber/fiber/v2"

	"rowback/storage"
	"rowback/storage/catalog"
	"rowback/storage/intake"
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
	Archive     string    `json:"archive" description:"Where the archive can be had."`
}

func backupPath(b catalog.Backup) string {
	return fmt.Sprintf("/api/v1/datasets/%s/backups/%s", b.DatasetID, b.ID)
}

func viewBackup(b catalog.Backup) backupView {
	return backupView{
		ID: b.ID, DatasetID: b.DatasetID, Ref: b.Ref, CommitID: b.CommitID, Description: b.Description, Bytes: b.Bytes,
		SHA256: b.Checksum, User: b.User, CreatedAt: b.CreatedAt, Archive: backupPath(b) + "/archive.tar",
	}
}

type createBackupIn struct {
	datasetIn
	headerIn
	Ref         string `json:"ref" default:"head"`
	Description string `json:"description"`
}

func (a *API) createBackup(c *fiber.Ctx) error {
	var in createBackupIn
	if err := bind(c, &in); err != nil {
		return err
	}
	d, err := a.dataset(a.base, in.datasetIn)
	if err != nil {
		return err
	}
	return a.run(write{
		c: c, header: in.headerIn, about: "Making the backup",
		tell: func(result any) (answer, error) {
			b := result.(catalog.Backup)
			return say(http.StatusCreated, backupPath(b), viewBackup(b))
		},
		do: func(ctx context.Context, r storage.Request) (any, error) {
			return a.store.Backup(ctx, d.ID, in.Ref, in.Description, r)
		},
	})
}

type backupList struct {
	Backups []backupView `json:"backups"`
}

func (a *API) listBackups(c *fiber.Ctx) error {
	var in datasetIn
	if err := bind(c, &in); err != nil {
		return err
	}
	d, err := a.dataset(a.base, in)
	if err != nil {
		return err
	}
	list, err := a.store.Backups(a.base, d.ID)
	if err != nil {
		return err
	}
	out := backupList{Backups: []backupView{}}
	for _, b := range list {
		out.Backups = append(out.Backups, viewBackup(b))
	}
	return ok(c, out)
}

type oneBackupIn struct {
	datasetIn
	Backup string `path:"backup" required:"true" json:"-"`
}

func (a *API) backup(c *fiber.Ctx) (b catalog.Backup, err error) {
	var in oneBackupIn
	if err := bind(c, &in); err != nil {
		return b, err
	}
	d, err := a.dataset(a.base, in.datasetIn)
	if err != nil {
		return b, err
	}
	return a.store.FindBackup(a.base, d.ID, in.Backup)
}

func (a *API) getBackup(c *fiber.Ctx) error {
	b, err := a.backup(c)
	if err != nil {
		return err
	}
	return ok(c, viewBackup(b))
}

func (a *API) getArchive(c *fiber.Ctx) error {
	b, err := a.backup(c)
	if err != nil {
		return err
	}
	f, err := a.store.OpenBackup(a.base, b, asksForPart(c))
	if err != nil {
		return err
	}
	return a.sendFile(c, f, file{"application/x-tar", "backup-" + b.ID + ".tar", b.CreatedAt})
}

func (a *API) deleteBackup(c *fiber.Ctx) error {
	b, err := a.backup(c)
	if err != nil {
		return err
	}
	if err := a.store.RemoveBackup(a.base, b); err != nil {
		return err
	}
	return c.SendStatus(http.StatusNoContent)
}

type restoreBackupIn struct {
	oneBackupIn
	headerIn
	Name    string `json:"name" description:"Make a new dataset of this name, instead of restoring this one."`
	Project int64  `json:"project_id" description:"Of the new dataset."`
	Message string `json:"message"`
}

// restoreBackup brings the dataset back to a backup, as one commit, or makes a new dataset out of it.
func (a *API) restoreBackup(c *fiber.Ctx) error {
	var in restoreBackupIn
	if err := bind(c, &in); err != nil {
		return err
	}
	b, err := a.backup(c)
	if err != nil {
		return err
	}
	w := write{c: c, header: in.headerIn, about: "Restoring the backup", tell: tellCommit}
	if in.Name != "" {
		w.tell = tellDataset(http.StatusCreated)
	}
	w.do = func(ctx context.Context, r storage.Request) (any, error) {
		r.Message = in.Message
		archive, err := a.store.OpenBackup(ctx, b, false)
		if err != nil {
			return nil, err
		}
		defer archive.Close()
		if in.Name != "" {
			return a.store.CreateFromBackup(ctx, archive, in.Name, in.Project, r)
		}
		return a.store.RestoreBackup(ctx, b.DatasetID, archive, r)
	}
	return a.run(w)
}

type importBackupIn struct {
	headerIn
	Name      string `query:"name" description:"Of the new dataset; empty: as in the archive." json:"-"`
	ProjectID int64  `query:"project_id" default:"1" json:"-"`
}

// importBackup makes a dataset out of an archive that the client sends.
func (a *API) importBackup(c *fiber.Ctx) error {
	var in importBackupIn
	if err := bind(c, &in); err != nil {
		return err
	}
	u := intake.Upload{Path: a.store.Scratch("archive.tar")}
	fingerprint, err := a.stageFile(c, u.Path)
	if err != nil {
		return err
	}
	return a.run(write{
		c: c, header: in.headerIn, about: "Making a dataset out of the backup", fingerprint: fingerprint,
		tell:  tellDataset(http.StatusCreated),
		after: func() { os.Remove(u.Path) },
		do: func(ctx context.Context, r storage.Request) (any, error) {
			archive, err := os.Open(u.Path)
			if err != nil {
				return nil, err
			}
			defer archive.Close()
			return a.store.CreateFromBackup(ctx, archive, in.Name, in.ProjectID, r)
		},
	})
}
