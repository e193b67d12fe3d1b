package api

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rowback/rowback/server/webhooks"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// monitorIn has the thresholds of what is noteworthy.
type monitorIn struct {
	ProjectID    int64   `query:"project_id" description:"Only of this project." json:"-"`
	RapidCount   int     `query:"rapid_count" default:"3" description:"${monitor.rapid_count}" json:"-"`
	RapidMinutes float64 `query:"rapid_minutes" default:"60" description:"The minutes for rapid_count." json:"-"`
	GapCommits   int     `query:"gap_commits" default:"20" description:"${monitor.gap_commits}" json:"-"`
	GapDays      float64 `query:"gap_days" default:"90" description:"${monitor.gap_days}" json:"-"`

	DatasetID []string `query:"dataset_id" collectionFormat:"csv" description:"Only of these, comma-separated." json:"-"`

	IgnoreForks    bool `query:"ignore_forks" description:"Leave out datasets that were forked from others." json:"-"`
	IgnoreArchived bool `query:"ignore_archived" description:"Leave out archived datasets." json:"-"`
}

// noteworthy are the thresholds where a request says nothing else.
var noteworthy = monitorIn{RapidCount: 3, RapidMinutes: 60, GapCommits: 20, GapDays: 90}

// ignores reports whether a dataset is left out.
func (in monitorIn) ignores(s snapshot.State) bool {
	return in.IgnoreForks && s.Dataset.IsFork() || in.IgnoreArchived && s.Properties.Archived ||
		in.ProjectID > 0 && in.ProjectID != s.Dataset.ProjectID
}

// states returns the datasets that are looked at. One that was named and is not there any more is left out.
func (in monitorIn) states(ctx context.Context, store *storage.Store) ([]snapshot.State, error) {
	if len(in.DatasetID) == 0 {
		return store.Datasets(ctx, catalog.DatasetFilter{Project: in.ProjectID, Limit: math.MaxInt32})
	}
	return store.DatasetsOf(ctx, in.DatasetID)
}

// monitorIssue is a finding about one dataset.
type monitorIssue struct {
	DatasetID   string `json:"dataset_id"`
	DatasetName string `json:"dataset_name"`
	ProjectID   int64  `json:"project_id"`
	Detail      string `json:"detail"`
}

// monitorView is seed 000's version health: "Monitoring and Alerts". Issues is the document's own summary, one line for
// each kind that has findings; the lists are the same in a form for programs.
type monitorView struct {
	Unversioned  []monitorIssue `json:"unversioned_datasets"`
	RapidChanges []monitorIssue `json:"rapid_version_changes"`
	Gaps         []monitorIssue `json:"version_gaps"`
	Issues       []string       `json:"issues"`
	Healthy      bool           `json:"healthy"`
}

// monitorVersions answers with the findings. It starts from the defaults, so a threshold that is not given keeps its
// default.
func (a *API) monitorVersions(c *fiber.Ctx) error {
	in := noteworthy
	if err := a.bind(c, &in); err != nil {
		return err
	}
	out, err := watchVersions(c.UserContext(), a.store, in)
	if err != nil {
		return err
	}
	return ok(c, out)
}

// watchVersions finds what is noteworthy about the versions of all datasets.
func watchVersions(ctx context.Context, store *storage.Store, in monitorIn) (monitorView, error) {
	out := monitorView{
		Unversioned: []monitorIssue{}, RapidChanges: []monitorIssue{}, Gaps: []monitorIssue{}, Issues: []string{},
	}
	states, err := in.states(ctx, store)
	if err != nil {
		return out, err
	}
	for _, s := range states {
		if in.ignores(s) {
			continue
		}
		if err := out.look(ctx, store, s, in); err != nil {
			return out, err
		}
	}
	// The titles are those of seed 000.
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
	return out, nil
}

// namesOf lists the names of the datasets, for a sentence.
func namesOf(list []monitorIssue) (text string) {
	for i, issue := range list {
		if i > 0 {
			text += ", "
		}
		text += issue.DatasetName
	}
	return text
}

// look adds what is noteworthy about one dataset.
func (out *monitorView) look(ctx context.Context, store *storage.Store, s snapshot.State, in monitorIn) error {
	issue := func(format string, args ...any) monitorIssue {
		return monitorIssue{s.Dataset.ID, s.Properties.Name, s.Dataset.ProjectID, fmt.Sprintf(format, args...)}
	}
	versions, err := store.Versions(ctx, s.Dataset.ID)
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
	// No more than the threshold: the question is whether there are so many, not how many.
	since, err := store.Commits(ctx, s.Dataset.ID, math.MaxInt64, in.GapCommits+1)
	if err != nil {
		return err
	}
	newer := 0
	for _, k := range since {
		if k.ID > last.CommitID {
			newer++
		}
	}
	age := store.Now().Sub(last.CreatedAt)
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
		// From the end, so that the first version that lies within the span closes the longest run from i.
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

// byKind returns the findings by what they are called in metrics and messages.
func (out monitorView) byKind() map[string][]monitorIssue {
	return map[string][]monitorIssue{"unversioned": out.Unversioned, "rapid_change": out.RapidChanges, "gap": out.Gaps}
}

// versionGauges are the monitor's findings as metrics, of datasets that people work on: neither forks nor archived
// ones.
type versionGauges struct {
	store *storage.Store
	found *prometheus.Desc
}

// newVersionGauges returns the gauge rowback_version_issues, with one value for each kind of finding.
func newVersionGauges(store *storage.Store) *versionGauges {
	return &versionGauges{store, prometheus.NewDesc("rowback_version_issues",
		"Datasets, but forks and archived ones, that have no version, were versioned rapidly, or have commits long since.",
		[]string{"kind"}, nil)}
}

// Describe implements prometheus.Collector.
func (g *versionGauges) Describe(out chan<- *prometheus.Desc) { out <- g.found }

// Collect implements prometheus.Collector.
func (g *versionGauges) Collect(out chan<- prometheus.Metric) {
	in := noteworthy
	in.IgnoreForks, in.IgnoreArchived = true, true
	// A scrape has no context of its own, and must not hang on a slow catalog.
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	seen, err := watchVersions(ctx, g.store, in)
	if err != nil {
		// The other metrics are still delivered (promhttp.ContinueOnError).
		out <- prometheus.NewInvalidMetric(g.found, err)
		return
	}
	for kind, list := range seen.byKind() {
		out <- prometheus.MustNewConstMetric(g.found, prometheus.GaugeValue, float64(len(list)), kind)
	}
}

// Findings are what the monitor has found, for webhooks: of datasets that people work on, as in the metrics.
func Findings(ctx context.Context, store *storage.Store) ([]webhooks.Finding, error) {
	in := noteworthy
	in.IgnoreForks, in.IgnoreArchived = true, true
	seen, err := watchVersions(ctx, store, in)
	var out []webhooks.Finding
	for kind, list := range seen.byKind() {
		for _, i := range list {
			out = append(out, webhooks.Finding{
				Project: i.ProjectID, Dataset: i.DatasetID, Name: i.DatasetName, Kind: kind, Detail: i.Detail,
			})
		}
	}
	return out, err
}
