package quartzbio

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

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
		if fault.KindOf(err) == fault.NotFound { // or one that the caller must not know of
			return notFound("task", id)
		}
		if err != nil {
			return err
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
