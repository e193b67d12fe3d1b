package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/compare"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// The routes of seed 000: requests, answers and sentences are exactly those of the document.

// seedVersion is a version as the document shows it; see versionView for all of it.
type seedVersion struct {
	Version      string    `json:"version"`
	TotalEntries int64     `json:"total_entries"`
	IsActive     bool      `json:"is_active"`
	CreatedAt    time.Time `json:"created_at"`
	Description  string    `json:"description"`
	Digest       string    `json:"digest,omitempty" description:"${digest.listed}"`

	commit int64
}

// seedVersions is the document's list of versions.
type seedVersions struct {
	Versions []seedVersion `json:"versions"`
	Total    int           `json:"total"`
}

// listVersionsIn selects versions; only active ones by default.
type listVersionsIn struct {
	ProjectID   int64  `query:"project_id" required:"true" json:"-"`
	DatasetName string `query:"dataset_name" required:"true" json:"-"`
	ActiveOnly  *bool  `query:"active_only" default:"true" json:"-"`
	Digests     bool   `query:"digests" description:"Include digests that were computed before." json:"-"`
}

// versionsOf returns all versions of a dataset, the lowest number first.
func (a *API) versionsOf(ctx context.Context, project int64, dataset string) ([]catalog.Version, error) {
	d, err := a.find(ctx, project, dataset)
	if err != nil {
		return nil, err
	}
	return a.store.Versions(ctx, d.ID)
}

// listVersions lists the versions of a dataset, the lowest number first.
func (a *API) listVersions(c *fiber.Ctx) error {
	var in listVersionsIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	all, err := a.versionsOf(c.UserContext(), in.ProjectID, in.DatasetName)
	if err != nil {
		return err
	}
	out := seedVersions{Versions: []seedVersion{}}
	for _, v := range all {
		if !v.IsActive && (in.ActiveOnly == nil || *in.ActiveOnly) {
			continue
		}
		out.Versions = append(out.Versions,
			seedVersion{storage.VersionNumber(v), v.Total, v.IsActive, v.CreatedAt, v.Description, "", v.CommitID})
	}
	if in.Digests {
		if err := addDigests(c.UserContext(), a, out.Versions, digestOfSeedVersion); err != nil {
			return err
		}
	}
	out.Total = len(out.Versions)
	return ok(c, out)
}

// compareVersionsIn names two versions of a dataset.
type compareVersionsIn struct {
	IdempotencyKey string `header:"Idempotency-Key" json:"-"`
	ProjectID      *int64 `json:"project_id" required:"true"`
	DatasetName    string `json:"dataset_name" required:"true"`
	Version1       string `json:"version1" required:"true"`
	Version2       string `json:"version2" required:"true"`
}

// seedComparison is the document's comparison: figures, and one sentence.
type seedComparison struct {
	Comparison compare.Comparison `json:"comparison"`
	Summary    string             `json:"summary"`
}

// compareVersions summarises the changes between two versions, in figures and in a sentence. It is a POST that changes
// nothing; it takes an Idempotency-Key because every POST does.
func (a *API) compareVersions(c *fiber.Ctx) error {
	var in compareVersionsIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	return run(a, write[seedComparison]{
		c: c, header: headerIn{IdempotencyKey: in.IdempotencyKey}, about: "Comparing versions",
		tell: func(result seedComparison) (calls.Answer, error) { return say(http.StatusOK, "", result) },
		do: func(ctx context.Context, r storage.Request) (seedComparison, error) {
			return a.seedCompare(ctx, in)
		},
	})
}

// seedCompare compares two versions. Both must exist as versions: other refs are for the native route.
func (a *API) seedCompare(ctx context.Context, in compareVersionsIn) (out seedComparison, err error) {
	d, err := a.find(ctx, *in.ProjectID, in.DatasetName)
	if err != nil {
		return out, err
	}
	var sides [2]*snapshot.Snapshot
	for i, number := range []string{in.Version1, in.Version2} {
		if _, err := a.store.FindVersion(ctx, d.ID, number); err != nil {
			return out, err
		}
		if sides[i], err = a.store.Snapshot(ctx, d.ID, number); err != nil {
			return out, err
		}
	}
	all, err := a.summarize(ctx, sides[0], sides[1])
	return seedComparison{all.Comparison, all.Sentence(in.Version2)}, err
}

// rollbackVersionIn names the version to go back to.
type rollbackVersionIn struct {
	headerIn
	ProjectID     *int64 `json:"project_id" required:"true"`
	DatasetName   string `json:"dataset_name" required:"true"`
	TargetVersion string `json:"target_version" required:"true"`
}

// seedMessage is an answer of one sentence.
type seedMessage struct {
	Message string `json:"message"`
}

// rollbackVersion restores a version, makes it active and all later ones inactive. A savepoint keeps the state before.
func (a *API) rollbackVersion(c *fiber.Ctx) error {
	var in rollbackVersionIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	d, err := a.find(c.UserContext(), *in.ProjectID, in.DatasetName)
	if err != nil {
		return err
	}
	return run(a, write[catalog.Commit]{
		c: c, header: in.header(), about: "Rolling back to version " + in.TargetVersion,
		tell: func(catalog.Commit) (calls.Answer, error) {
			return say(http.StatusOK, "", seedMessage{"Successfully rolled back to version " + in.TargetVersion})
		},
		do: func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
			return a.store.RollbackVersion(ctx, d.ID, in.TargetVersion, r)
		},
	})
}

// incrementIn is the request to name the head with the next version. ref, metadata, force and version_type auto are
// ours; without them the request is the document's.
type incrementIn struct {
	headerIn
	ProjectID   *int64 `json:"project_id" required:"true"`
	DatasetName string `json:"dataset_name" required:"true"`

	VersionType string `json:"version_type" default:"patch" enum:"major,minor,patch,auto" description:"${version_type}"`

	Description string          `json:"description"`
	Ref         string          `json:"ref" default:"head" description:"What the version names: ${refs}."`
	Metadata    json.RawMessage `json:"metadata" description:"JSON that is kept with the version."`
	Force       bool            `json:"force" description:"Name the state although a version does already."`
}

// seedIncrement is the document's answer to an increment.
type seedIncrement struct {
	NewVersion string `json:"new_version"`
	VersionID  int64  `json:"version_id"`
	Message    string `json:"message"`

	Warnings []string `json:"warnings,omitempty" description:"Of the gates that warn."`
}

// incrementVersion names the head with the next version of the given type.
func (a *API) incrementVersion(c *fiber.Ctx) error {
	var in incrementIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	if in.VersionType == "" {
		in.VersionType = "patch"
	}
	d, err := a.find(c.UserContext(), *in.ProjectID, in.DatasetName)
	if err != nil {
		return err
	}
	return run(a, write[catalog.Version]{
		c: c, header: in.header(), about: "Incrementing the version",
		tell: func(v catalog.Version) (calls.Answer, error) {
			number := storage.VersionNumber(v)
			return say(http.StatusOK, "", seedIncrement{
				number, v.ID, "Version incremented to " + number, v.Warnings,
			})
		},
		do: func(ctx context.Context, r storage.Request) (catalog.Version, error) {
			n := storage.NewVersion{
				Part: in.VersionType, Ref: in.Ref, Description: in.Description, Metadata: in.Metadata, Force: in.Force,
			}
			// Within the work, so that a repeated request compares nothing again.
			if n.Part == "auto" {
				if err := a.choosePart(ctx, d.ID, &n); err != nil {
					return catalog.Version{}, err
				}
			}
			return a.store.Increment(ctx, d.ID, n, r)
		},
	})
}

// choosePart chooses the part of the version that the changes since the latest version call for. From then on the
// version names the state that was compared.
func (a *API) choosePart(ctx context.Context, dataset string, n *storage.NewVersion) error {
	to, err := a.store.Snapshot(ctx, dataset, n.Ref)
	if err != nil {
		return err
	}
	n.Part, n.Ref = "patch", fmt.Sprint(to.Commit.ID)
	from, err := a.store.Snapshot(ctx, dataset, "latest")
	if fault.KindOf(err) == fault.NotFound {
		return nil // the first is 1.0.0 whatever the part
	}
	if err != nil {
		return err
	}
	summary, err := a.summarize(ctx, from, to)
	if err != nil {
		return err
	}
	n.Part = summary.Insights("").VersionType
	return nil
}

// latestIn names a dataset, as the document does.
type latestIn struct {
	ProjectID   int64  `query:"project_id" required:"true" json:"-"`
	DatasetName string `query:"dataset_name" required:"true" json:"-"`
}

// seedLatest is the number of the latest version.
type seedLatest struct {
	LatestVersion string `json:"latest_version"`
}

// latestVersion returns the highest active version.
func (a *API) latestVersion(c *fiber.Ctx) error {
	var in latestIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	all, err := a.versionsOf(c.UserContext(), in.ProjectID, in.DatasetName)
	if err != nil {
		return err
	}
	// From the highest number down: a rollback leaves later versions inactive.
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].IsActive {
			return ok(c, seedLatest{storage.VersionNumber(all[i])})
		}
	}
	return &fault.Error{
		Kind: fault.NotFound, Code: "version_not_found",
		Detail: fmt.Sprintf("No versions found for dataset '%s'", in.DatasetName),
	}
}
