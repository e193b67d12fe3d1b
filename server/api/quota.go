package api

import (
	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/storage"
)

// quotaView is what a project may store, and what it does.
type quotaView struct {
	ProjectID  int64  `json:"project_id"`
	MaxBytes   *int64 `json:"max_bytes" description:"The most bytes of data and rollback files; null: any number."`
	MaxRecords *int64 `json:"max_records" description:"The most live records of all datasets; null: any number."`
	Bytes      int64  `json:"bytes" description:"Bytes of the files that there are, those of past states included."`
	Records    int64  `json:"records" description:"Live records that there are."`
	DryRun     bool   `json:"dry_run,omitempty"`
}

// putQuotaIn sets a quota. Both limits are replaced.
type putQuotaIn struct {
	projectIn
	dryIn
	MaxBytes   *int64 `json:"max_bytes" minimum:"0"`
	MaxRecords *int64 `json:"max_records" minimum:"0"`
}

// getQuota shows the quota of a project, and what it uses of it.
func (a *API) getQuota(c *fiber.Ctx, _ *accounts.Accounts, in projectIn) error {
	p, err := a.project(c, in.Project)
	if err != nil {
		return err
	}
	quota, err := a.store.Quotas.Of(c.UserContext(), p.ID)
	if err != nil {
		return err
	}
	return a.tellQuota(c, quotaView{ProjectID: p.ID}, quota)
}

// putQuota sets the quota of a project. What is stored already stays, whatever the quota is.
func (a *API) putQuota(c *fiber.Ctx, _ *accounts.Accounts, in putQuotaIn) error {
	p, err := a.project(c, in.Project)
	if err != nil {
		return err
	}
	for name, n := range map[string]*int64{"max_bytes": in.MaxBytes, "max_records": in.MaxRecords} {
		if n != nil && *n < 0 {
			return invalid(name, "must not be negative")
		}
	}
	audit.Of(c.UserContext()).Project(p.ID)
	quota := storage.Quota{Bytes: in.MaxBytes, Records: in.MaxRecords}
	if in.DryRun {
		audit.Of(c.UserContext()).Reads()
	} else if err := a.options.Quotas.Put(c.UserContext(), p.ID, quota); err != nil {
		return err
	}
	return a.tellQuota(c, quotaView{ProjectID: p.ID, DryRun: in.DryRun}, quota)
}

// tellQuota answers with a project's quota, and what it uses of it.
func (a *API) tellQuota(c *fiber.Ctx, v quotaView, of storage.Quota) error {
	has, err := a.store.Quotas.Usage(c.UserContext(), v.ProjectID)
	if err != nil {
		return err
	}
	v.MaxBytes, v.MaxRecords, v.Bytes, v.Records = of.Bytes, of.Records, has.Bytes, has.Records
	return ok(c, v)
}
