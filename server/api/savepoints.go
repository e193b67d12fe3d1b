package api

import (
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"rowback/storage"
	"rowback/storage/catalog"
)

type createSavepointIn struct {
	datasetIn
	headerIn
	Description string `json:"description"`
}

// createSavepoint bookmarks the head: 201, or 303 to the last savepoint where nothing has changed since.
func (a *API) createSavepoint(c *fiber.Ctx) error {
	var in createSavepointIn
	if err := bind(c, &in); err != nil {
		return err
	}
	d, err := a.dataset(a.base, in.datasetIn)
	if err != nil {
		return err
	}
	return a.run(write{
		c: c, header: in.headerIn, about: "Making a savepoint",
		do: func(ctx context.Context, r storage.Request) (any, error) {
			return a.store.CreateSavepoint(ctx, d.ID, storage.NewSavepoint{Description: in.Description}, r)
		},
		tell: func(result any) (answer, error) {
			p, status := result.(storage.Marked), http.StatusSeeOther
			if p.Made {
				status = http.StatusCreated
			}
			return say(status, "/api/v1/datasets/"+d.ID+"/savepoints/"+p.ID, viewSavepoint(p.Savepoint))
		},
	})
}

type savepointList struct {
	Savepoints []savepointView `json:"savepoints"`
}

func (a *API) listSavepoints(c *fiber.Ctx) error {
	var in datasetIn
	if err := bind(c, &in); err != nil {
		return err
	}
	d, err := a.dataset(a.base, in)
	if err != nil {
		return err
	}
	list, err := a.savepoints(d)
	if err != nil {
		return err
	}
	return ok(c, savepointList{list})
}

// savepoints are a dataset's, newest first.
func (a *API) savepoints(d catalog.Dataset) ([]savepointView, error) {
	list, err := a.store.Savepoints(a.base, d.ID)
	out := []savepointView{}
	for _, p := range list {
		out = append(out, viewSavepoint(p))
	}
	return out, err
}

type oneSavepointIn struct {
	datasetIn
	Savepoint string `path:"savepoint" required:"true" description:"Id, or name such as master__000003." json:"-"`
}

func (a *API) savepoint(in oneSavepointIn) (catalog.Savepoint, error) {
	d, err := a.dataset(a.base, in.datasetIn)
	if err != nil {
		return catalog.Savepoint{}, err
	}
	return a.store.FindSavepoint(a.base, d.ID, in.Savepoint)
}

func (a *API) getSavepoint(c *fiber.Ctx) error {
	var in oneSavepointIn
	if err := bind(c, &in); err != nil {
		return err
	}
	p, err := a.savepoint(in)
	if err != nil {
		return err
	}
	return ok(c, viewSavepoint(p))
}

type editSavepointIn struct {
	oneSavepointIn
	Description *string `json:"description" required:"true"`
}

func (a *API) editSavepoint(c *fiber.Ctx) error {
	var in editSavepointIn
	if err := bind(c, &in); err != nil {
		return err
	}
	p, err := a.savepoint(in.oneSavepointIn)
	if err != nil {
		return err
	}
	if p, err = a.store.DescribeSavepoint(a.base, p.DatasetID, p.ID, *in.Description); err != nil {
		return err
	}
	return ok(c, viewSavepoint(p))
}

type revertIn struct {
	oneSavepointIn
	headerIn
	Message string `json:"message"`
}

func (a *API) createRevert(c *fiber.Ctx) error {
	var in revertIn
	if err := bind(c, &in); err != nil {
		return err
	}
	p, err := a.savepoint(in.oneSavepointIn)
	if err != nil {
		return err
	}
	return a.run(write{
		c: c, header: in.headerIn, about: "Reverting to " + storage.SavepointName(p.Number), tell: tellCommit,
		do: func(ctx context.Context, r storage.Request) (any, error) {
			r.Message = in.Message
			return a.store.Revert(ctx, p.DatasetID, p.ID, r)
		},
	})
}
