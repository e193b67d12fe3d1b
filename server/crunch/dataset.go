package crunch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// datasetPath returns the path of a dataset's entity.
func datasetPath(id string) string { return "/api/datasets/" + id + "/" }

// dataset returns the head state of the dataset that a request names.
func (f *Face) dataset(ctx context.Context, c *fiber.Ctx) (snapshot.State, error) {
	id, err := param(c, "dataset")
	if err != nil {
		return snapshot.State{}, err
	}
	s, err := f.store.State(ctx, id, "head")
	if err == nil {
		audit.Of(ctx).Dataset(s.Dataset.ID, s.Dataset.Name, s.Dataset.ProjectID)
	}
	return s, err
}

// datasetBody is a dataset in the catalogs of datasets and of forks, and as an entity.
type datasetBody struct {
	ID                string         `json:"id"`
	Name              string         `json:"name"`
	Description       string         `json:"description"`
	Owner             string         `json:"owner"` // a URL, like the next
	OwnerID           string         `json:"owner_id"`
	OwnerName         string         `json:"owner_name"`
	OwnerDisplayName  string         `json:"owner_display_name"`
	CurrentEditor     string         `json:"current_editor"` // a URL: who made the last commit
	CurrentEditorName string         `json:"current_editor_name"`
	IsPublished       bool           `json:"is_published"`
	Archived          bool           `json:"archived"`
	Streaming         string         `json:"streaming"` // no: rows come in batches
	CreationTime      string         `json:"creation_time"`
	ModificationTime  string         `json:"modification_time"`
	AccessTime        string         `json:"access_time"`
	StartDate         *string        `json:"start_date"`
	EndDate           *string        `json:"end_date"`
	Notes             string         `json:"notes"`
	Permissions       permissions    `json:"permissions"`
	Size              map[string]any `json:"size"`
}

// permissions are what the user may do with a dataset.
type permissions struct {
	View              bool `json:"view"`
	Edit              bool `json:"edit"`
	ChangePermissions bool `json:"change_permissions"`
	AddUsers          bool `json:"add_users"`
	ChangeWeight      bool `json:"change_weight"`
}

// describe returns what clients see of a dataset. Its owner is the user of its first commit; before that, whoever asks.
// There are no owners in the store: whoever may write edits, and these fields are what the clients expect to show.
// Access is not recorded, so its time is that of the last change.
func (f *Face) describe(ctx context.Context, c *fiber.Ctx, s snapshot.State) (datasetBody, error) {
	owner, err := f.store.Founder(ctx, s.Dataset)
	if err != nil {
		return datasetBody{}, err
	}
	if owner == "" {
		owner = f.user(c)
	}
	editor, modified := owner, s.Dataset.CreatedAt
	if s.Commit.ID > 0 && s.Commit.CreatedAt.After(modified) {
		editor, modified = s.Commit.User, s.Commit.CreatedAt
	}
	return datasetBody{
		ID: s.Dataset.ID, Name: s.Properties.Name, Description: s.Properties.Description,
		Owner: userURL(c, owner), OwnerID: userURL(c, owner), OwnerName: owner, OwnerDisplayName: owner,
		CurrentEditor: userURL(c, editor), CurrentEditorName: editor, Streaming: "no",
		IsPublished: !s.Properties.Unpublished, Archived: s.Properties.Archived, Notes: s.Properties.Notes,
		CreationTime: moment(s.Dataset.CreatedAt), ModificationTime: moment(modified), AccessTime: moment(modified),
		Permissions: permissionsOf(host.Caller(c), s.Dataset.ProjectID),
		Size:        map[string]any{"rows": s.Total(), "columns": len(s.Schema.Columns)},
	}, nil
}

// permissionsOf are a caller's with the datasets of a project.
func permissionsOf(c access.Caller, project int64) permissions {
	return permissions{
		View: c.May(project, access.Reader), Edit: c.May(project, access.Writer),
		ChangePermissions: c.IsAdmin(), AddUsers: c.IsAdmin(), ChangeWeight: c.May(project, access.Maintainer),
	}
}

// listDatasets shows all datasets of all projects that the user sees: the clients know no projects of this kind.
func (f *Face) listDatasets(c *fiber.Ctx) error {
	return f.showDatasets(c, func(snapshot.State) bool { return true })
}

// datasetsByName shows the datasets with one name, in all projects.
func (f *Face) datasetsByName(c *fiber.Ctx) error {
	// The same names may be in several projects, and twice in one (namesakes): all of them are shown.
	name, err := param(c, "name")
	if err != nil {
		return err
	}
	return f.showDatasets(c, func(s snapshot.State) bool { return s.Properties.Name == name })
}

// showDatasets shows a catalog of the datasets that wanted selects.
func (f *Face) showDatasets(c *fiber.Ctx, wanted func(snapshot.State) bool) error {
	ctx := c.UserContext()
	states, err := f.store.Datasets(ctx, catalog.DatasetFilter{Limit: math.MaxInt32})
	if err != nil {
		return err
	}
	out := &index{}
	for _, s := range states {
		if !wanted(s) {
			continue
		}
		body, err := f.describe(ctx, c, s)
		if err != nil {
			return err
		}
		out.add(site(c)+datasetPath(s.Dataset.ID), body)
	}
	return show(c, document{Element: catalogElement, Index: out})
}

// project is where datasets are created: the clients know no projects of this kind.
const project = 1

// newDataset is the body for creating a dataset. scrunch sends Table: variables by alias, in order.
type newDataset struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Force       *bool  `json:"force"` // false: refuse a name that is taken
	IsPublished *bool  `json:"is_published"`
	Archived    bool   `json:"archived"`
	Notes       string `json:"notes"`
	home
	Table struct {
		Metadata ordered[newVariable] `json:"metadata"`
	} `json:"table"`
}

// variables returns the columns that the dataset starts with.
func (in newDataset) variables() (out []storage.NewVariable, err error) {
	for _, v := range in.Table.Metadata {
		if v.Value.Name == "" && v.Value.Alias == "" {
			v.Value.Alias = v.Name
		}
		// An expression names variables by id or alias, and the dataset has none yet.
		if given := v.Value.given(); given != nil && given[0] == '{' {
			return nil, invalid("metadata", "a variable with an expression is created once the dataset exists")
		}
		n, err := v.Value.wanted(snapshot.State{})
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// createDataset creates a dataset. It has the id of the job that creates it, so that its URL is known before it exists.
func (f *Face) createDataset(c *fiber.Ctx) error {
	if err := permit.Check(host.Caller(c), project, access.Writer); err != nil {
		return err
	}
	var in newDataset
	if err := f.readBody(c, &in); err != nil {
		return err
	}
	if in.Name == "" {
		return invalid("name", "is required")
	}
	if err := in.home.check(userURL(c, f.user(c))); err != nil {
		return err
	}
	variables, err := in.variables()
	if err != nil {
		return err
	}
	return finish(f, c, work[snapshot.State]{
		about: "Creating the dataset",
		tell: func(made snapshot.State) calls.Answer {
			return calls.Answer{Status: http.StatusCreated, Location: datasetPath(made.Dataset.ID)}
		},
		do: func(ctx context.Context, r storage.Request) (snapshot.State, error) {
			return f.makeDataset(ctx, r.Job(), in, variables, r)
		},
	}, datasetPath)
}

// makeDataset creates a dataset with all of its variables, or none at all. For the clients, names need not be unique.
// The receipt is the dataset's own only where nothing follows: otherwise a repeated request could find a dataset
// without its variables.
func (f *Face) makeDataset(
	ctx context.Context, id string, in newDataset, variables []storage.NewVariable, r storage.Request,
) (snapshot.State, error) {
	part := storage.Request{User: r.User}
	if len(variables) == 0 {
		part.Receipt = r.Receipt
	}
	made, err := f.store.CreateDataset(ctx,
		storage.NewDataset{
			ID: id, ProjectID: project, Name: in.Name, Description: in.Description, Namesake: in.namesake(), Notes: in.Notes,
			Archived: in.Archived, Unpublished: in.IsPublished != nil && !*in.IsPublished,
		}, part)
	if err != nil {
		return made, err
	}
	for _, v := range variables {
		if _, _, err := f.store.CreateVariable(ctx, made.Dataset.ID, v, part); err != nil {
			// A dataset with half of its variables is not what was asked for. Deleted, it leaves the list and frees its
			// name.
			return made, errors.Join(err, f.store.DeleteDataset(ctx, made.Dataset.ID, part))
		}
	}
	return made, nil
}

// ordered is a JSON object whose order matters.
type ordered[T any] []named[T]

// named is a member of such an object.
type named[T any] struct {
	Name  string
	Value T
}

// UnmarshalJSON reads the object's members in their order.
func (o *ordered[T]) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return invalid("metadata", "must be an object")
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		one := named[T]{Name: name.(string)}
		if err := d.Decode(&one.Value); err != nil {
			return err
		}
		*o = append(*o, one)
	}
	return nil
}

// getDataset shows a dataset, with the URLs of everything that belongs to it: the clients follow these and build none.
func (f *Face) getDataset(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	body, err := f.describe(ctx, c, s)
	if err != nil {
		return err
	}
	at := site(c) + datasetPath(s.Dataset.ID)
	return show(c, document{
		Element: entityElement, Self: at, Description: "Detail for a given dataset", Body: body,
		Catalogs: links{
			"actions": at + "actions/", "savepoints": at + "savepoints/", "forks": at + "forks/",
			"variables": at + "variables/", "batches": at + "batches/", "folders": at + "folders/",
		},
		Fragments: links{"table": at + "table/", "exclusion": at + "exclusion/", "pk": at + "pk/"},
		Views:     links{"summary": at + "summary/"},
		URLs:      links{"user_url": userURL(c, f.user(c)), "owner_url": body.Owner, "editor_url": body.CurrentEditor},
	})
}

// editDataset changes properties of a dataset, as a commit. Unknown fields are ignored: the clients send them.
func (f *Face) editDataset(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	var in datasetEdit
	if err := f.readBody(c, &in); err != nil {
		return err
	}
	now, err := f.describe(ctx, c, s)
	if err != nil {
		return err
	}
	edit, err := in.wanted(s, now)
	if err != nil {
		return err
	}
	r, err := f.request(c)
	if err != nil {
		return err
	}
	k, err := calls.Repeat(ctx, f.store, func() (catalog.Commit, error) {
		return f.store.EditDataset(ctx, s.Dataset.ID, edit, r)
	})
	if err != nil {
		return err
	}
	calls.Note(ctx, k)
	return c.SendStatus(http.StatusNoContent)
}

// deleteDataset marks a dataset as deleted.
func (f *Face) deleteDataset(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	r, err := f.request(c)
	if err != nil {
		return err
	}
	if _, err := calls.Repeat(ctx, f.store, func() (struct{}, error) {
		return struct{}{}, f.store.DeleteDataset(ctx, s.Dataset.ID, r)
	}); err != nil {
		return err
	}
	return c.SendStatus(http.StatusNoContent)
}

// getSummary shows the number of records that clients see.
func (f *Face) getSummary(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	// Filtered equals total: filters of a session are not supported, and the exclusion applies to both.
	seen, err := f.count(ctx, s)
	if err != nil {
		return err
	}
	rows := map[string]int64{"total": seen, "filtered": seen}
	return showView(c, map[string]any{
		"unweighted": rows, "weighted": rows, "variables": len(s.Schema.Columns), "columns": len(s.Schema.Columns),
	})
}
