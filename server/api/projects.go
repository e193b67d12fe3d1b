package api

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// projectView is a project as the caller sees it.
type projectView struct {
	ID          int64      `json:"id" description:"The project_id of its datasets."`
	Name        string     `json:"name" description:"${project.name}"`
	Description string     `json:"description"`
	Datasets    int        `json:"datasets" description:"How many it has, without deleted ones."`
	Role        string     `json:"role" description:"The caller's."`
	CreatedAt   *time.Time `json:"created_at" description:"When it got its name; null: it has none."`
}

// projectList is a page of projects.
type projectList struct {
	Projects   []projectView `json:"projects"`
	NextCursor *string       `json:"next_cursor"`
}

// seenProjects returns the projects that the caller sees, by id: those that have a name or datasets, or in which the
// caller was given a role.
func (a *API) seenProjects(c *fiber.Ctx) ([]projectView, error) {
	ctx, caller := c.UserContext(), host.Caller(c)
	known, err := a.kept()
	if err != nil {
		return nil, err
	}
	named, err := known.Projects(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := a.store.CountDatasets(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[int64]projectView{}
	add := func(p accounts.Project) {
		if role := caller.Role(p.ID); role > access.None {
			seen[p.ID] = projectView{p.ID, p.Name, p.Description, counts[p.ID], role.String(), momentOrNull(p.CreatedAt)}
		}
	}
	for id := range counts {
		add(accounts.Project{ID: id, Name: strconv.FormatInt(id, 10)})
	}
	for id := range caller.Roles {
		if id > 0 {
			add(accounts.Project{ID: id, Name: strconv.FormatInt(id, 10)})
		}
	}
	for _, p := range named {
		add(p)
	}
	out := make([]projectView, 0, len(seen))
	for _, p := range seen {
		out = append(out, p)
	}
	slices.SortFunc(out, func(x, y projectView) int { return cmp.Compare(x.ID, y.ID) })
	return out, nil
}

// listProjectsIn selects a page of projects.
type listProjectsIn struct{ pageIn }

// listProjects lists projects by id.
func (a *API) listProjects(c *fiber.Ctx, known *accounts.Accounts, in listProjectsIn) error {
	all, err := a.seenProjects(c)
	if err != nil {
		return err
	}
	page, next, err := pageOf(in.pageIn, func(after string, limit int) ([]projectView, error) {
		last, err := strconv.ParseInt(after, 10, 64)
		if err != nil && after != "" {
			return nil, invalid("cursor", "is not a cursor that this list returned")
		}
		from, _ := slices.BinarySearchFunc(all, last+1, func(p projectView, id int64) int { return cmp.Compare(p.ID, id) })
		return all[from:min(from+limit, len(all))], nil
	}, func(p projectView) string { return strconv.FormatInt(p.ID, 10) })
	if err != nil {
		return err
	}
	return ok(c, projectList{page, next})
}

// projectIn identifies a project.
type projectIn struct {
	Project string `path:"project" required:"true" description:"Id or name." json:"-"`
}

// project finds a project that the caller sees.
func (a *API) project(c *fiber.Ctx, named string) (projectView, error) {
	known, err := a.kept()
	if err != nil {
		return projectView{}, err
	}
	notFound := accounts.ErrNoProject.Sayf("Project '%s' not found", fault.Clip(named))
	id, err := known.ProjectID(c.UserContext(), named)
	if err != nil {
		return projectView{}, err
	}
	all, err := a.seenProjects(c)
	if err != nil {
		return projectView{}, err
	}
	i := slices.IndexFunc(all, func(p projectView) bool { return p.ID == id })
	if i < 0 {
		return projectView{}, notFound
	}
	audit.Of(c.UserContext()).Project(id)
	return all[i], nil
}

// getProject describes one project.
func (a *API) getProject(c *fiber.Ctx, known *accounts.Accounts, in projectIn) error {
	p, err := a.project(c, in.Project)
	if err != nil {
		return err
	}
	return ok(c, p)
}

// createProjectIn is the request to name a project.
type createProjectIn struct {
	ID          *int64 `json:"id" description:"Of a project that has datasets already; by default a new one."`
	Name        string `json:"name" required:"true" minLength:"1" maxLength:"255"`
	Description string `json:"description"`
}

// createProject adds a project, or gives a name to one that had only its number.
func (a *API) createProject(c *fiber.Ctx, known *accounts.Accounts, in createProjectIn) error {
	p := accounts.Project{Name: in.Name, Description: in.Description}
	least, err := a.lastProject(c.UserContext())
	if err != nil {
		return err
	}
	if in.ID != nil {
		if p.ID = *in.ID; p.ID < 1 {
			return invalid("id", "must be 1 or greater")
		}
	}
	if p, err = known.CreateProject(c.UserContext(), p, least); err != nil {
		return err
	}
	view, err := a.project(c, strconv.FormatInt(p.ID, 10))
	if err != nil {
		return err
	}
	told, err := say(http.StatusCreated, "/api/v1/projects/"+strconv.FormatInt(p.ID, 10), view)
	if err != nil {
		return err
	}
	return send(c, told)
}

// lastProject returns the highest id of a project that has datasets, deleted ones too: these may come back.
func (a *API) lastProject(ctx context.Context) (last int64, err error) {
	for _, deleted := range []bool{false, true} {
		all, err := a.store.Datasets(ctx, catalog.DatasetFilter{Deleted: deleted, Limit: math.MaxInt32})
		if err != nil {
			return 0, err
		}
		for _, s := range all {
			last = max(last, s.Dataset.ProjectID)
		}
	}
	return max(last, 1), nil // 1 is where datasets are by default
}

// editProjectIn is the request to rename or describe a project.
type editProjectIn struct {
	projectIn
	Name        *string `json:"name" nullable:"false"`
	Description *string `json:"description" nullable:"false"`
}

// editProject renames or describes a project. Its id stays, and with it what is in it.
func (a *API) editProject(c *fiber.Ctx, known *accounts.Accounts, in editProjectIn) error {
	p, err := a.project(c, in.Project)
	if err != nil {
		return err
	}
	if _, err = a.options.Accounts.EditProject(c.UserContext(), p.ID,
		accounts.ProjectEdit{Name: in.Name, Description: in.Description}); err != nil {
		return err
	}
	if p, err = a.project(c, strconv.FormatInt(p.ID, 10)); err != nil {
		return err
	}
	return ok(c, p)
}

// deleteProject removes a project without datasets, and the roles that were given in it.
func (a *API) deleteProject(c *fiber.Ctx, known *accounts.Accounts, in projectIn) error {
	p, err := a.project(c, in.Project)
	if err != nil {
		return err
	}
	for _, deleted := range []bool{false, true} {
		left, err := a.store.Datasets(c.UserContext(), catalog.DatasetFilter{Project: p.ID, Deleted: deleted, Limit: 1})
		if err != nil {
			return err
		}
		if len(left) > 0 {
			return errNotEmpty.Sayf("Project '%s' has datasets, or deleted ones that can be brought back. Delete them, and "+
				"wait until vacuum has removed them.", p.Name)
		}
	}
	if err := a.options.Accounts.RemoveProject(c.UserContext(), p.ID); err != nil {
		return err
	}
	return c.SendStatus(http.StatusNoContent)
}

var errNotEmpty = fault.New(fault.Conflict, "project_not_empty")
