package api

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"rowback/compare"
	"rowback/server/calls"
	"rowback/storage"
	"rowback/storage/catalog"
	"rowback/storage/fault"
	"rowback/storage/snapshot"
)

// The routes of seed 000: requests, answers and sentences are exactly those of the document.

// seedVersion is a version as the document shows it; see versionView for all of it.
type seedVersion struct {
	Version      string    `json:"version"`
	TotalEntries int64     `json:"total_entries"`
	IsActive     bool      `json:"is_active"`
	CreatedAt    time.Time `json:"created_at"`
	Description  string    `json:"description"`
}

type seedVersions struct {
	Versions []seedVersion `json:"versions"`
	Total    int           `json:"total"`
}

// listVersionsIn selects versions; only active ones by default.
type listVersionsIn struct {
	ProjectID   int64  `query:"project_id" required:"true" json:"-"`
	DatasetName string `query:"dataset_name" required:"true" json:"-"`
	ActiveOnly  *bool  `query:"active_only" default:"true" json:"-"`
}

// listVersions lists the versions of a dataset, the lowest number first.
func (a *API) listVersions(c *fiber.Ctx) error {
	var in listVersionsIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	d, err := a.store.FindDataset(c.UserContext(), in.ProjectID, in.DatasetName)
	if err != nil {
		return err
	}
	all, err := a.store.Versions(c.UserContext(), d.ID)
	if err != nil {
		return err
	}
	out := seedVersions{Versions: []seedVersion{}}
	for _, v := range all {
		if !v.IsActive && (in.ActiveOnly == nil || *in.ActiveOnly) {
			continue
		}
		out.Versions = append(out.Versions,
			seedVersion{storage.VersionNumber(v), v.Total, v.IsActive, v.CreatedAt, v.Description})
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

type seedComparison struct {
	Comparison compare.Comparison `json:"comparison"`
	Summary    string             `json:"summary"`
}

// compareVersions summarises the changes between two versions, in figures and in a sentence.
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

func (a *API) seedCompare(ctx context.Context, in compareVersionsIn) (out seedComparison, err error) {
	d, err := a.store.FindDataset(ctx, *in.ProjectID, in.DatasetName)
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

type seedMessage struct {
	Message string `json:"message"`
}

// rollbackVersion restores a version, makes it active and all later ones inactive. A savepoint keeps the state before.
func (a *API) rollbackVersion(c *fiber.Ctx) error {
	var in rollbackVersionIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	d, err := a.store.FindDataset(c.UserContext(), *in.ProjectID, in.DatasetName)
	if err != nil {
		return err
	}
	return run(a, write[catalog.Commit]{
		c: c, header: in.headerIn, about: "Rolling back to version " + in.TargetVersion,
		tell: func(catalog.Commit) (calls.Answer, error) {
			return say(http.StatusOK, "", seedMessage{"Successfully rolled back to version " + in.TargetVersion})
		},
		do: func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
			return a.store.RollbackVersion(ctx, d.ID, in.TargetVersion, r)
		},
	})
}

// incrementIn is the request to name the head with the next version.
type incrementIn struct {
	headerIn
	ProjectID   *int64 `json:"project_id" required:"true"`
	DatasetName string `json:"dataset_name" required:"true"`
	VersionType string `json:"version_type" default:"patch" enum:"major,minor,patch"`
	Description string `json:"description"`
}

type seedIncrement struct {
	NewVersion string `json:"new_version"`
	VersionID  int64  `json:"version_id"`
	Message    string `json:"message"`
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
	d, err := a.store.FindDataset(c.UserContext(), *in.ProjectID, in.DatasetName)
	if err != nil {
		return err
	}
	return run(a, write[catalog.Version]{
		c: c, header: in.headerIn, about: "Incrementing the version",
		tell: func(v catalog.Version) (calls.Answer, error) {
			number := storage.VersionNumber(v)
			return say(http.StatusOK, "", seedIncrement{number, v.ID, "Version incremented to " + number})
		},
		do: func(ctx context.Context, r storage.Request) (catalog.Version, error) {
			return a.store.Increment(ctx, d.ID, in.VersionType, in.Description, r)
		},
	})
}

type latestIn struct {
	ProjectID   int64  `query:"project_id" required:"true" json:"-"`
	DatasetName string `query:"dataset_name" required:"true" json:"-"`
}

type seedLatest struct {
	LatestVersion string `json:"latest_version"`
}

// latestVersion returns the highest active version.
func (a *API) latestVersion(c *fiber.Ctx) error {
	var in latestIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	d, err := a.store.FindDataset(c.UserContext(), in.ProjectID, in.DatasetName)
	if err != nil {
		return err
	}
	all, err := a.store.Versions(c.UserContext(), d.ID)
	if err != nil {
		return err
	}
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

// monitorIn has the thresholds of what is noteworthy.
type monitorIn struct {
	ProjectID    int64   `query:"project_id" description:"Only of this project." json:"-"`
	RapidCount   int     `query:"rapid_count" default:"3" description:"How many versions within rapid_minutes count as rapid." json:"-"`
	RapidMinutes float64 `query:"rapid_minutes" default:"60" description:"The minutes for rapid_count." json:"-"`
	GapCommits   int     `query:"gap_commits" default:"20" description:"How many commits since the last version are a gap." json:"-"`
	GapDays      float64 `query:"gap_days" default:"90" description:"How many days since the last version are a gap, if there are commits since." json:"-"`
}

// monitorIssue is something noteworthy about a dataset.
type monitorIssue struct {
	DatasetID   string `json:"dataset_id"`
	DatasetName string `json:"dataset_name"`
	ProjectID   int64  `json:"project_id"`
	Detail      string `json:"detail"`
}

// monitorView is seed 000's version health: "Monitoring and Alerts".
type monitorView struct {
	Unversioned  []monitorIssue `json:"unversioned_datasets"`
	RapidChanges []monitorIssue `json:"rapid_version_changes"`
	Gaps         []monitorIssue `json:"version_gaps"`
	Issues       []string       `json:"issues"`
	Healthy      bool           `json:"healthy"`
}

// monitorVersions checks every dataset for missing, rapid and overdue versions.
func (a *API) monitorVersions(c *fiber.Ctx) error {
	in := monitorIn{RapidCount: 3, RapidMinutes: 60, GapCommits: 20, GapDays: 90}
	if err := a.bind(c, &in); err != nil {
		return err
	}
	out := monitorView{
		Unversioned: []monitorIssue{}, RapidChanges: []monitorIssue{}, Gaps: []monitorIssue{}, Issues: []string{},
	}
	states, err := a.store.Datasets(c.UserContext(), catalog.DatasetFilter{Project: in.ProjectID, Limit: math.MaxInt32})
	if err != nil {
		return err
	}
	for _, s := range states {
		if err := a.monitor(c.UserContext(), &out, s, in); err != nil {
			return err
		}
	}
	for _, found := range []struct {
		title string
		list  []monitorIssue
	}{
		{"Unversioned datasets", out.Unversioned}, {"Rapid version changes detected", out.RapidChanges},
		{"Version gaps detected", out.Gaps},
	} {
		if len(found.list) > 0 {
			out.Issues = append(out.Issues, fmt.Sprintf("%s: %s", found.title, namesOf(found.list)))
		}
	}
	out.Healthy = len(out.Issues) == 0
	return ok(c, out)
}

// namesOf lists the datasets of issues, comma-separated.
func namesOf(list []monitorIssue) (text string) {
	for i, issue := range list {
		if i > 0 {
			text += ", "
		}
		text += issue.DatasetName
	}
	return text
}

// monitor adds what is noteworthy about one dataset.
func (a *API) monitor(ctx context.Context, out *monitorView, s snapshot.State, in monitorIn) error {
	issue := func(format string, args ...any) monitorIssue {
		return monitorIssue{s.Dataset.ID, s.Properties.Name, s.Dataset.ProjectID, fmt.Sprintf(format, args...)}
	}
	versions, err := a.store.Versions(ctx, s.Dataset.ID)
	if err != nil {
		return err
	}
	if len(versions) == 0 {
		out.Unversioned = append(out.Unversioned,
			issue("It has no version yet; its head is commit %d with %d records.", s.Commit.ID, s.Total()))
		return nil
	}
	if n, within := densest(versions, time.Duration(in.RapidMinutes*float64(time.Minute))); n >= in.RapidCount {
		out.RapidChanges = append(out.RapidChanges, issue("%d versions were made within %s.", n, within.Round(time.Second)))
	}
	last := versions[len(versions)-1]
	since, err := a.store.Commits(ctx, s.Dataset.ID, math.MaxInt64, in.GapCommits+1)
	if err != nil {
		return err
	}
	newer := 0
	for _, k := range since {
		if k.ID > last.CommitID {
			newer++
		}
	}
	age := time.Since(last.CreatedAt)
	if newer >= in.GapCommits || newer > 0 && age.Hours() > in.GapDays*24 {
		out.Gaps = append(out.Gaps,
			issue("At least %d commits were made since version %s of %s.",
				newer, storage.VersionNumber(last), last.CreatedAt.Format(time.RFC3339)))
	}
	return nil
}

// densest returns the largest number of versions made within a span, and the time between the first and last of them.
func densest(versions []catalog.Version, span time.Duration) (most int, took time.Duration) {
	for i, first := range versions {
		for j := len(versions) - 1; j >= i; j-- {
			if d := versions[j].CreatedAt.Sub(first.CreatedAt); d <= span {
				if j-i+1 > most {
					most, took = j-i+1, d
				}
				break
			}
		}
	}
	return most, took
}
