package quartzbio

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"math"
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
		Kind: w.kind, Project: w.dataset.Dataset.ProjectID, Path: w.dataset.Dataset.ID, User: f.user(c), At: time.Now(),
		Document: asked,
	}
	var commits []int64
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
			for i, part := range w.parts[len(commits):] {
				one := r
				if len(commits)+1 < len(w.parts) {
					one.Receipt = nil
				}
				if last, err = part(ctx, one); err != nil {
					return last, err
				}
				if i+1 < len(w.parts) && last.ID != 0 {
					commits = append(commits, last.ID)
				}
			}
			return last, nil
		},
		Tell: func(last catalog.Commit) (json.RawMessage, error) {
			all := slices.Clone(commits)
			if last.ID != 0 && !slices.Contains(all, last.ID) {
				all = append(all, last.ID)
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

// progressOf returns how far work is.
func (f *Face) progressOf(ctx context.Context, e entry) (p progress, err error) {
	if e.Kind == exportKind {
		return progress{status: completedStatus, changed: e.At}, nil
	}
	j, err := f.store.Requests.Job(ctx, e.ID)
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

// taskNames are what kinds of work are called.
var taskNames = map[string]string{
	importKind: "Dataset Import", migrationKind: "Dataset Migration", exportKind: "Dataset Export",
}

// viewTask returns work as a task.
func (f *Face) viewTask(c *fiber.Ctx, e entry) (map[string]any, error) {
	p, err := f.progressOf(c.UserContext(), e)
	if err != nil {
		return nil, err
	}
	s, err := f.dataset(c.UserContext(), e.Path)
	if err != nil {
		return nil, err
	}
	v, at, err := f.datasetVault(c, s)
	if err != nil {
		return nil, err
	}
	of, err := f.viewObject(c.UserContext(), object{kind: datasetKind, id: e.Path, vault: v, path: at, state: s}, nil)
	if err != nil {
		return nil, err
	}
	in, err := f.viewVault(c, v)
	if err != nil {
		return nil, err
	}
	out := map[string]any{
		"class_name": "ECSTask", "available_actions": []string{}, "schedule_info": nil, "created_at": moment(e.At),
		"description": taskNames[e.Kind] + " of " + of.Path, "id": e.ID, "parent_id": nil, "priority": 10,
		"require_idle_source": false, "require_idle_target": false, "source_object": nil, "source_vault": nil,
		"status": p.status, "target_object": of, "target_vault": in, "task_display_name": taskNames[e.Kind],
		"task_id": e.ID, "task_type": "datasets." + classes[e.Kind], "updated_at": moment(p.changed),
		"user": viewUser(e.User), "error_message": text(p.failure),
	}
	if e.Kind == exportKind {
		out["source_object"], out["source_vault"], out["target_object"], out["target_vault"] = of, in, nil, nil
	}
	return out, nil
}

// listTasks lists work: on one dataset, or on all that the caller sees.
func (f *Face) listTasks(c *fiber.Ctx) error {
	if err := checkQuery(c, "target_object_id", "source_object_id", "parent_task_id", "status", "ordering"); err != nil {
		return err
	}
	ctx := c.UserContext()
	var all []entry
	for _, kind := range []string{importKind, migrationKind, exportKind} {
		isSource := kind == exportKind
		var found []entry
		var err error
		switch target, source := c.Query("target_object_id"), c.Query("source_object_id"); {
		case c.Query("parent_task_id") != "", target != "" && isSource, source != "" && !isSource: // no task has others
		case target != "" || source != "":
			if _, err = f.dataset(ctx, cmp.Or(target, source)); err == nil {
				found, err = f.entries.of(ctx, kind, cmp.Or(target, source))
			}
		default:
			found, err = f.workSeen(ctx, kind)
		}
		if err != nil {
			return err
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, func(a, b entry) int { return a.At.Compare(b.At) })
	all, err := f.withStatus(c, all)
	if err != nil {
		return err
	}
	return showList(c, all, func(e entry) (map[string]any, error) { return f.viewTask(c, e) })
}

// workSeen lists the work of a kind on datasets that the caller sees.
func (f *Face) workSeen(ctx context.Context, kind string) (out []entry, err error) {
	states, err := f.store.Datasets(ctx, catalog.DatasetFilter{Limit: math.MaxInt32})
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, s := range states {
		seen[s.Dataset.ID] = true
	}
	all, err := f.entries.list(ctx, `kind = ?`, kind)
	return slices.DeleteFunc(all, func(e entry) bool { return !seen[e.Path] }), err
}

// getTask shows one task.
func (f *Face) getTask(c *fiber.Ctx) error {
	id, err := param(c, "task")
	if err != nil {
		return err
	}
	for _, kind := range []string{importKind, migrationKind, exportKind} {
		e, ok, err := f.entries.get(c.UserContext(), kind, id)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		s, err := f.dataset(c.UserContext(), e.Path)
		if err != nil {
			return notFound("task", id)
		}
		out, err := f.viewTask(c, e)
		if err != nil {
			return err
		}
		d, err := f.viewDataset(c, s)
		if err != nil {
			return err
		}
		if out["task_object"], err = f.viewWork(c, e, d); err != nil {
			return err
		}
		return show(c, http.StatusOK, out)
	}
	return notFound("task", id)
}
