package quartzbio

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// Work is an import, a migration or an export: an entry with what was asked for. Imports and migrations have the id of
// the job that does them, which says how far it is; an export is done when it is asked for, and written when it is
// fetched.

// outcome is what is stored of work that is done: the commits that it made.
type outcome struct {
	Commits []int64 `json:"commits"`
}

// doing is work that makes commits, one for each of its parts. All but the last are made without a receipt: the job is
// done with the last one.
type doing struct {
	kind    string
	dataset snapshot.State
	asked   any      // what is kept of the request
	title   string   // of the commits
	message string   // the same, of the request
	said    metadata // what the request says of the commits
	parts   []func(ctx context.Context, r storage.Request) (catalog.Commit, error)
}

// metadata is what is said of commits.
type metadata map[string]any

// start starts work, waits for it up to the sync limit, and returns its entry.
func (f *Face) start(c *fiber.Ctx, w doing) (entry, error) {
	asked, err := json.Marshal(w.asked)
	if err != nil {
		return entry{}, err
	}
	e := entry{
		Kind: w.kind, Project: w.dataset.Dataset.ProjectID, Path: w.dataset.Dataset.ID, User: host.User(c), At: time.Now(),
		Document: asked,
	}
	if err := e.check(); err != nil {
		return entry{}, err
	}
	var commits []int64 // of all parts but the last
	call := calls.Call[catalog.Commit]{
		Request: f.request(c),
		Do: func(ctx context.Context, r storage.Request) (last catalog.Commit, err error) {
			one := e
			one.ID = r.Job()
			if err := f.entries.put(ctx, one); err != nil {
				return last, err
			}
			r.Message = w.message
			if r.Metadata, err = w.metadata(one.ID); err != nil {
				return last, err
			}
			part := r
			part.Receipt = nil
			for len(commits) < len(w.parts)-1 {
				k, err := w.parts[len(commits)](ctx, part)
				if err != nil {
					return last, afterParts(err, len(commits))
				}
				commits = append(commits, k.ID)
			}
			last, err = w.parts[len(commits)](ctx, r)
			return last, afterParts(err, len(commits))
		},
		Tell: func(last catalog.Commit) (json.RawMessage, error) {
			all := commits
			if last.ID != 0 {
				all = append(slices.Clip(all), last.ID)
			}
			body, err := json.Marshal(outcome{all})
			if err != nil {
				return nil, err
			}
			return calls.Answer{Status: http.StatusCreated, Body: body}.Keep()
		},
	}
	kept, _, err := calls.Start(c.UserContext(), f.jobs, w.title, call, f.options.SyncTimeout,
		func(j catalog.Job) (json.RawMessage, error) { return json.Marshal(j.ID) })
	if err != nil {
		return entry{}, err
	}
	return e, json.Unmarshal(kept, &e.ID)
}

// metadata is what the commits of a job say of themselves.
func (w doing) metadata(job string) (json.RawMessage, error) {
	said := metadata{"quartzbio_job": job, "quartzbio_kind": w.kind, "title": w.title}
	maps.Copy(said, w.said)
	return json.Marshal(said)
}

// afterParts says with the refusal of a part that those before it stand.
func afterParts(err error, done int) error {
	var e *fault.Error
	if done == 0 || !errors.As(err, &e) || e.Kind != fault.Invalid {
		return err
	}
	return fault.Errorf(e.Kind, e.Code, "File %d: %s The files before it are committed: roll those commits back, or "+
		"import the other files.", done+1, e.Detail)
}

// progress is how far work is.
type progress struct {
	status  string // queued, running, completed or failed
	failure string // why it failed
	changed time.Time
	commits []int64
}

// Statuses of work.
const (
	runningStatus   = "running"
	completedStatus = "completed"
	failedStatus    = "failed"
)

// lostWork is why work failed of which nothing else is known.
const lostWork = "Nothing was committed. What went wrong was in a catalog that has been lost since."

// progressOf returns how far work is.
func (f *Face) progressOf(ctx context.Context, e entry) (p progress, err error) {
	if e.Kind == exportKind {
		return progress{status: completedStatus, changed: e.At}, nil
	}
	j, err := f.store.Requests.Job(ctx, e.ID)
	if fault.KindOf(err) == fault.NotFound {
		// A catalog that is made again from the objects has the jobs that committed, and no others.
		return progress{status: failedStatus, failure: lostWork, changed: e.At}, nil
	}
	if err != nil {
		return p, err
	}
	p = progress{status: runningStatus, changed: j.UpdatedAt}
	if j.Progress >= 0 && j.Progress < catalog.JobDone {
		return p, nil
	}
	told, err := calls.ReadAnswer(j.Answer)
	if err != nil {
		return p, err
	}
	if j.Progress == catalog.JobFailed {
		var refused struct{ Detail string }
		_ = json.Unmarshal(told.Body, &refused) // of one that a restart ended there is none
		p.status, p.failure = failedStatus, cmp.Or(refused.Detail, j.Message, "The server was stopped.")
		return p, nil
	}
	p.status = completedStatus
	var made outcome
	err = json.Unmarshal(told.Body, &made)
	p.commits = made.Commits
	return p, err
}

// workParam finds work that a request names, and its dataset.
func (f *Face) workParam(c *fiber.Ctx, kind string) (e entry, s snapshot.State, err error) {
	id, err := param(c, kind)
	if err != nil {
		return e, s, err
	}
	e, ok, err := f.entries.get(c.UserContext(), kind, id)
	if err != nil {
		return e, s, err
	}
	if ok {
		s, err = f.dataset(c.UserContext(), e.Path)
	}
	if !ok || fault.KindOf(err) == fault.NotFound { // or one of a dataset that the caller must not know of
		return e, s, notFound(kind, id)
	}
	return e, s, err
}

// getWork returns a handler that shows work of a kind.
func (f *Face) getWork(kind string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		e, s, err := f.workParam(c, kind)
		if err != nil {
			return err
		}
		return f.showWork(c, http.StatusOK, e, s)
	}
}

// showWork answers with work.
func (f *Face) showWork(c *fiber.Ctx, status int, e entry, s snapshot.State) error {
	d, err := f.viewDataset(c, s)
	if err != nil {
		return err
	}
	out, err := f.viewWork(c, e, d)
	if err != nil {
		return err
	}
	return show(c, status, out)
}

// listOf returns a handler that lists work of a kind on a dataset, the newest first.
func (f *Face) listOf(kind string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		s, err := f.datasetParam(c)
		if err == nil {
			err = checkQuery(c, "status", "ordering")
		}
		if err != nil {
			return err
		}
		all, err := f.entries.of(c.UserContext(), kind, s.Dataset.ID)
		if err != nil {
			return err
		}
		if all, err = f.withStatus(c, all); err != nil {
			return err
		}
		d, err := f.viewDataset(c, s)
		if err != nil {
			return err
		}
		return showList(c, all, func(e entry) (map[string]any, error) { return f.viewWork(c, e, d) })
	}
}

// withStatus keeps work with one of the statuses that a request names, the newest first.
func (f *Face) withStatus(c *fiber.Ctx, all []entry) (out []entry, err error) {
	statuses := strings.Split(c.Query("status"), ",")
	for _, e := range slices.Backward(all) {
		if c.Query("status") != "" {
			p, err := f.progressOf(c.UserContext(), e)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(statuses, p.status) {
				continue
			}
		}
		out = append(out, e)
	}
	return out, nil
}

// classes are the classes of work.
var classes = map[string]string{
	importKind: "DatasetImport", migrationKind: "DatasetMigration", exportKind: "DatasetExport",
}

// viewWork returns work as the client sees it: what was asked for, and how far it is.
func (f *Face) viewWork(c *fiber.Ctx, e entry, d datasetView) (map[string]any, error) {
	p, err := f.progressOf(c.UserContext(), e)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	if err := json.Unmarshal(e.Document, &out); err != nil {
		return nil, err
	}
	class := classes[e.Kind]
	for name, value := range map[string]any{
		"class_name": class, "id": e.ID, "task_id": e.ID, "created_at": moment(e.At), "updated_at": moment(p.changed),
		"status": p.status, "error_message": text(p.failure), "user": viewUser(e.User), "vault_id": d.VaultID,
		"url": host.Site(c) + root + "/dataset_" + e.Kind + "s/" + e.ID, "priority": 10,
		"upload": nil, "source_object": nil, "timestamps": [][3]string{{"queued", p.status, moment(p.changed)}},
	} {
		out[name] = value
	}
	if e.Kind == migrationKind {
		out["target"], out["target_id"] = d, d.ID
	} else {
		out["dataset"], out["dataset_id"] = d, d.ID
	}
	if e.Kind == exportKind {
		return out, nil
	}
	made := []commitView{}
	for _, id := range p.commits {
		k, err := f.store.CommitByID(c.UserContext(), e.Path, id)
		if err != nil {
			return nil, err
		}
		made = append(made, viewCommit(c, d, k))
	}
	out["dataset_commits"] = made
	return out, nil
}
