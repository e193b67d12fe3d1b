package crunch

import (
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// savepointPath returns the path of a savepoint's resource.
func savepointPath(p catalog.Savepoint) string {
	return datasetPath(p.DatasetID) + "savepoints/" + p.ID + "/"
}

// savepointBody is a savepoint, in the catalog and as an entity.
type savepointBody struct {
	CreationTime    string `json:"creation_time"`
	LastUpdate      string `json:"last_update"`
	Version         string `json:"version"`
	Description     string `json:"description"`
	Revert          string `json:"revert"` // a URL
	UserName        string `json:"user_name"`
	UserDisplayName string `json:"user_display_name"`
}

// viewSavepoint returns a savepoint as clients see it.
func viewSavepoint(c *fiber.Ctx, p catalog.Savepoint) savepointBody {
	return savepointBody{
		CreationTime: moment(p.CreatedAt), LastUpdate: moment(p.UpdatedAt), Version: storage.SavepointName(p.Number),
		Description: p.Description, Revert: site(c) + savepointPath(p) + "revert/", UserName: p.User, UserDisplayName: p.User,
	}
}

// listSavepoints shows the savepoints, newest first.
func (f *Face) listSavepoints(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	list, err := f.store.Savepoints(ctx, s.Dataset.ID)
	if err != nil {
		return err
	}
	out := &index{}
	for _, p := range list {
		out.add(site(c)+savepointPath(p), viewSavepoint(c, p))
	}
	return show(c, document{Element: catalogElement, Index: out})
}

// savepoint finds the savepoint that a request names.
func (f *Face) savepoint(ctx context.Context, c *fiber.Ctx) (catalog.Savepoint, error) {
	id, err := param(c, "dataset")
	if err != nil {
		return catalog.Savepoint{}, err
	}
	ref, err := param(c, "savepoint")
	if err != nil {
		return catalog.Savepoint{}, err
	}
	return f.store.FindSavepoint(ctx, id, ref)
}

// getSavepoint shows one savepoint, found by id or by name.
func (f *Face) getSavepoint(c *fiber.Ctx) error {
	ctx := c.UserContext()
	p, err := f.savepoint(ctx, c)
	if err != nil {
		return err
	}
	body := viewSavepoint(c, p)
	return show(c,
		document{Element: entityElement, Self: site(c) + savepointPath(p), Body: body, Views: links{"revert": body.Revert}})
}

// createSavepoint bookmarks the head. Its Location is the result of the work, not the savepoint: the dataset may
// change meanwhile. If nothing has changed since the last savepoint, the result is that one.
func (f *Face) createSavepoint(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	var in struct {
		Description string `json:"description"`
	}
	if err := f.readBody(c, &in); err != nil {
		return err
	}
	a, err := try(f, c, work[storage.Marked]{
		about: "Creating the savepoint",
		tell: func(p storage.Marked) calls.Answer {
			if p.Made {
				return calls.Answer{Status: http.StatusCreated, Location: savepointPath(p.Savepoint)}
			}
			return calls.Answer{Status: http.StatusSeeOther, Location: savepointPath(p.Savepoint)}
		},
		do: func(ctx context.Context, r storage.Request) (storage.Marked, error) {
			return f.store.CreateSavepoint(ctx, s.Dataset.ID, storage.NewSavepoint{Description: in.Description}, r)
		},
	})
	// 303 tells the client that no new savepoint was made; both answers lead to one.
	switch {
	case err != nil:
		return err
	case a.late:
		return accepted(c, a.job, resultPath(a.job))
	case a.told.Status == http.StatusSeeOther:
		return seeOther(c, a.told.Location)
	}
	return created(c, resultPath(a.job))
}

// editSavepoint changes the description of a savepoint.
func (f *Face) editSavepoint(c *fiber.Ctx) error {
	ctx := c.UserContext()
	p, err := f.savepoint(ctx, c)
	if err != nil {
		return err
	}
	var in struct {
		Description *string `json:"description"`
	}
	if err := f.readBody(c, &in); err != nil {
		return err
	}
	if in.Description != nil {
		// Without an expected head: a description is not part of the dataset's history.
		r := storage.Request{User: f.user(c)}
		if _, err := calls.Repeat(ctx, f.store, func() (catalog.Savepoint, error) {
			return f.store.DescribeSavepoint(ctx, p.DatasetID, p.ID, *in.Description, r)
		}); err != nil {
			return err
		}
	}
	return c.SendStatus(http.StatusNoContent)
}

// askRevert shows what a POST to the same URL does: the clients fetch it first.
func (f *Face) askRevert(c *fiber.Ctx) error {
	ctx := c.UserContext()
	p, err := f.savepoint(ctx, c)
	if err != nil {
		return err
	}
	return showView(c, map[string]any{"version": storage.SavepointName(p.Number), "description": p.Description})
}

// revert takes the dataset back to a savepoint. The answer is 202 even if the work is already done.
func (f *Face) revert(c *fiber.Ctx) error {
	ctx := c.UserContext()
	p, err := f.savepoint(ctx, c)
	if err != nil {
		return err
	}
	a, err := try(f, c, work[catalog.Commit]{
		about: "Reverting to " + storage.SavepointName(p.Number),
		tell: func(catalog.Commit) calls.Answer {
			return calls.Answer{Status: http.StatusOK, Location: savepointPath(p)}
		},
		do: func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
			return f.store.Revert(ctx, p.DatasetID, p.ID, r)
		},
	})
	if err != nil {
		return err
	}
	return accepted(c, a.job, progressPath(a.job))
}
