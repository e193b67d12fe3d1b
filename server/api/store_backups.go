package api

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/backup"
	"github.com/rowback/rowback/storage/snapshot"
)

// storeBackupView is a backup of the store, or of a dataset with its forks, in the server's own place for backups.
type storeBackupView struct {
	ID           string            `json:"id"`
	FamilyID     *string           `json:"family_id" description:"${backup.family_id}"`
	CreatedAt    time.Time         `json:"created_at" description:"The moment whose state it has."`
	FinishedAt   time.Time         `json:"finished_at"`
	Full         bool              `json:"full" description:"${backup.full}"`
	LastCommit   int64             `json:"last_commit" description:"No commit of any dataset in it is newer."`
	Datasets     []backedUpDataset `json:"datasets" description:"${backup.datasets}"`
	Objects      int               `json:"objects"`
	Bytes        int64             `json:"bytes"`
	Copied       int               `json:"objects_copied" description:"Those that no earlier backup had."`
	CopiedBytes  int64             `json:"bytes_copied"`
	IsComplete   bool              `json:"is_complete" description:"Nothing of it was damaged in the store."`
	DamagedTotal int               `json:"damaged_objects" description:"Objects that it lacks, as they were damaged."`
}

// backedUpDataset is a dataset as a backup has it.
type backedUpDataset struct {
	ID        string  `json:"id"`
	ProjectID int64   `json:"project_id"`
	Name      string  `json:"name"`
	Head      int64   `json:"head"`
	Records   int64   `json:"records"`
	Digest    *string `json:"digest" description:"Of the records; null: it was not computed before."`
	IsDeleted bool    `json:"is_deleted"`
}

// viewStoreBackup returns a backup as clients see it. Where it is, they are not told.
func viewStoreBackup(m backup.Manifest) storeBackupView {
	v := storeBackupView{
		ID: m.ID, CreatedAt: m.CreatedAt, FinishedAt: m.FinishedAt, Full: m.Full, LastCommit: m.Cut, Objects: m.Objects,
		Bytes: m.Bytes, Copied: m.Copied, CopiedBytes: m.CopiedBytes, IsComplete: m.IsComplete(),
		DamagedTotal: len(m.Damaged),
	}
	if m.Scope != "" {
		v.FamilyID = &m.Scope
	}
	v.Datasets = views(m.Datasets, func(d backup.Dataset) backedUpDataset {
		one := backedUpDataset{d.ID, d.Project, d.Name, d.Head, d.Records, nil, !d.DeletedAt.IsZero()}
		if d.Digest != "" {
			one.Digest = &d.Digest
		}
		return one
	})
	return v
}

// createStoreBackupIn is the request for a backup.
type createStoreBackupIn struct {
	IdempotencyKey string `header:"Idempotency-Key" description:"${idempotency_key}" json:"-"`
	Prefer         string `header:"Prefer" description:"${prefer}" json:"-"`
	Dataset        string `json:"dataset" description:"${backup.dataset}"`
	ProjectID      int64  `json:"project_id" default:"1" description:"Of the dataset."`
	Full           bool   `json:"full" description:"${backup.full}"`
}

// createStoreBackup backs up the store. Clients don't say where: that is the operator's to decide.
func (a *API) createStoreBackup(c *fiber.Ctx) error {
	var in createStoreBackupIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	n := storage.NewStoreBackup{Full: in.Full}
	if in.Dataset != "" {
		d, err := a.dataset(c.UserContext(), datasetIn{in.Dataset, in.ProjectID})
		if err != nil {
			return err
		}
		n.Dataset = d.ID
	}
	return run(a, write[backup.Manifest]{
		c: c, header: headerIn{IdempotencyKey: in.IdempotencyKey, Prefer: in.Prefer}, about: "Backing up",
		do: func(ctx context.Context, r storage.Request) (backup.Manifest, error) {
			return a.store.Copies.Make(ctx, n, r)
		},
		tell: func(m backup.Manifest) (calls.Answer, error) {
			return say(http.StatusCreated, "/api/v1/store/backups/"+m.ID, viewStoreBackup(m))
		},
	})
}

// storeBackupList is all backups that the server has. Old ones are removed, so that they are few, and the list has no
// pages.
type storeBackupList struct {
	Backups    []storeBackupSummary `json:"backups"`
	Unreadable int                  `json:"unreadable" description:"Backups whose manifests are damaged."`
}

// storeBackupSummary is a backup in a list.
type storeBackupSummary struct {
	storeBackupView
	Datasets int `json:"datasets" description:"How many it has, deleted ones included."`
}

// listStoreBackups lists the backups that the server has made, newest first.
func (a *API) listStoreBackups(c *fiber.Ctx) error {
	var in struct{}
	if err := a.bind(c, &in); err != nil {
		return err
	}
	list, unreadable, err := a.store.Copies.List(c.UserContext())
	if err != nil {
		return err
	}
	return ok(c, storeBackupList{views(list, func(m backup.Manifest) storeBackupSummary {
		return storeBackupSummary{viewStoreBackup(m), len(m.Datasets)}
	}), unreadable})
}

// oneStoreBackupIn identifies a backup.
type oneStoreBackupIn struct {
	Backup string `path:"backup" required:"true" json:"-"`
}

// getStoreBackup describes one backup, with its datasets.
func (a *API) getStoreBackup(c *fiber.Ctx) error {
	var in oneStoreBackupIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	m, err := a.store.Copies.Find(c.UserContext(), in.Backup)
	if err != nil {
		return err
	}
	return ok(c, viewStoreBackup(m))
}

// graftIn is the request to bring a dataset back from a backup of the store with its history.
type graftIn struct {
	Backup string `path:"backup" required:"true" json:"-" description:"${backup.id}"`
	headerIn
	Dataset   string `json:"dataset" required:"true" description:"Its id or name in the backup."`
	ProjectID int64  `json:"project_id" default:"1" description:"The project that it was in."`
	Name      string `json:"name" description:"Of the new dataset; empty: the one that it had."`
	Into      int64  `json:"into_project_id" description:"Project of the new dataset; 0: the one that it was in."`
}

// graftFromBackup makes a dataset with all the history of one in a backup that the server has made.
func (a *API) graftFromBackup(c *fiber.Ctx) error {
	var in graftIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	g := storage.Graft{Project: cmp.Or(in.ProjectID, 1), Dataset: in.Dataset, Name: in.Name, Into: in.Into}
	return run(a, write[snapshot.State]{
		c: c, header: in.header(), about: "Restoring the dataset with its history",
		tell: tellDataset(http.StatusCreated),
		do: func(ctx context.Context, r storage.Request) (snapshot.State, error) {
			made, err := a.store.GraftOwn(ctx, in.Backup, g, r)
			return made.State, err
		},
	})
}

// storeBackupRoutes are the routes about backups of the store.
func (a *API) storeBackupRoutes() []route {
	const backups = "/api/v1/store/backups"
	return []route{
		{
			method: "POST", path: backups, id: "createStoreBackup", tag: "server", role: access.Admin,
			summary: "Back up the whole store, or a dataset with its history and its forks",
			in:      createStoreBackupIn{}, status: 201, also: 202, out: storeBackupView{}, problems: writes,
			handler: a.createStoreBackup,
		},
		{
			method: "GET", path: backups, id: "listStoreBackups", tag: "server", role: access.Admin,
			summary: "The backups that the server has made, newest first",
			status:  200, out: storeBackupList{}, problems: []int{409, 422}, handler: a.listStoreBackups,
		},
		{
			method: "GET", path: backups + "/{backup}", id: "getStoreBackup", tag: "server", role: access.Admin,
			summary: "One backup, with its datasets",
			in:      oneStoreBackupIn{}, status: 200, out: storeBackupView{}, problems: []int{404, 409, 422},
			handler: a.getStoreBackup,
		},
		{
			method: "POST", path: backups + "/{backup}/datasets", id: "restoreDatasetWithHistory", tag: "server",
			role:    access.Admin,
			summary: "Make a dataset with all the history that one in a backup has",
			in:      graftIn{}, status: 201, also: 202, out: datasetView{}, problems: writes, handler: a.graftFromBackup,
		},
		{
			method: "POST", path: "/api/v1/store/repairs", id: "repairStore", tag: "server", role: access.Admin,
			summary: "Put the files back that are known to be damaged, from the server's own backups",
			in:      repairStoreIn{}, status: 200, also: 202, out: repairList{}, problems: writes, handler: a.repairStore,
		},
	}
}

// BackupCollectors are the metrics of the backups that the server makes; none, if it has no place for them.
func BackupCollectors(s *storage.Store) []prometheus.Collector {
	if !s.Copies.IsConfigured() {
		return nil
	}
	gauge := func(name, help string, value func(storage.BackupState) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return value(s.Copies.State()) })
	}
	return []prometheus.Collector{
		newestBackup{s},
		gauge("rowback_backup_bytes", "Bytes of all that the newest complete backup has.",
			func(b storage.BackupState) float64 { return float64(b.Last.Bytes) }),
		gauge("rowback_backup_copied_bytes", "Bytes that the newest complete backup had to copy.",
			func(b storage.BackupState) float64 { return float64(b.Last.CopiedBytes) }),
		gauge("rowback_backup_running", "1 while a backup is made.", func(b storage.BackupState) float64 {
			if b.Running {
				return 1
			}
			return 0
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "rowback_backup_failures_total",
			Help: "Backups and prunings that failed, or lacked something, since the start; the log says why.",
		}, func() float64 { return float64(s.Copies.State().Failures) }),
	}
}

// newestBackup is the metrics of the newest backup's age. Of several servers, the one has them that makes those that are
// due: others do not know of its backups.
type newestBackup struct{ store *storage.Store }

var (
	backupMoment = prometheus.NewDesc("rowback_backup_last_success_timestamp_seconds",
		"The moment whose state the newest complete backup of the store has; 0: there is none.", nil, nil)
	backupAge = prometheus.NewDesc("rowback_backup_age_seconds", "How old that state is; -1: there is none.", nil, nil)
)

// Describe implements prometheus.Collector.
func (n newestBackup) Describe(to chan<- *prometheus.Desc) { to <- backupMoment; to <- backupAge }

// Collect implements prometheus.Collector.
func (n newestBackup) Collect(to chan<- prometheus.Metric) {
	b := n.store.Copies.State()
	if !b.Keeps {
		return
	}
	moment, age := 0.0, -1.0
	if b.Last.ID != "" {
		moment = float64(b.Last.CreatedAt.UnixMilli()) / 1000
		age = n.store.Now().Sub(b.Last.CreatedAt).Seconds()
	}
	to <- prometheus.MustNewConstMetric(backupMoment, prometheus.GaugeValue, moment)
	to <- prometheus.MustNewConstMetric(backupAge, prometheus.GaugeValue, age)
}
