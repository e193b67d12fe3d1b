package api

import (
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// createSavepointIn is the request to bookmark the head.
type createSavepointIn struct {
	datasetIn
	headerIn
	Description string `json:"description"`
}

// createSavepoint bookmarks the head: 201, or 303 to the last savepoint if nothing has changed since.
func (a *API) createSavepoint(c *fiber.Ctx, d catalog.Dataset, in createSavepointIn) error {
	return run(a, write[storage.Marked]{
		c: c, header: in.header(), about: "Creating a savepoint",
		do: func(ctx context.Context, r storage.Request) (storage.Marked, error) {
			return a.store.CreateSavepoint(ctx, d.ID, storage.NewSavepoint{Description: in.Description}, r)
		},
		tell: func(p storage.Marked) (calls.Answer, error) {
			// The body is the savepoint in both cases, so that a client that follows no redirects has it too.
			status := http.StatusSeeOther
			if p.Made {
				status = http.StatusCreated
			}
			return say(status, "/api/v1/datasets/"+d.ID+"/savepoints/"+p.ID, viewSavepoint(p.Savepoint))
		},
	})
}

// savepointList is the savepoints of a dataset. Those that a revert went back behind are not among them.
type savepointList struct {
	Savepoints []savepointView `json:"savepoints"`
}

// listSavepoints lists the savepoints of a dataset, newest first.
func (a *API) listSavepoints(c *fiber.Ctx, d catalog.Dataset, _ datasetIn) error {
	list, err := a.store.Savepoints(c.UserContext(), d.ID)
	if err != nil {
		return err
	}
	return ok(c, savepointList{views(list, viewSavepoint)})
}

// oneSavepointIn identifies a savepoint.
type oneSavepointIn struct {
	datasetIn
	Savepoint string `path:"savepoint" required:"true" description:"Id, or name such as master__000003." json:"-"`
}

// savepoint finds the savepoint that a request names.
func (a *API) savepoint(ctx context.Context, in oneSavepointIn) (catalog.Savepoint, error) {
	d, err := a.dataset(ctx, in.datasetIn)
	if err != nil {
		return catalog.Savepoint{}, err
	}
	return a.store.FindSavepoint(ctx, d.ID, in.Savepoint)
}

// getSavepoint describes one savepoint.
func (a *API) getSavepoint(c *fiber.Ctx, p catalog.Savepoint, _ oneSavepointIn) error {
	return ok(c, viewSavepoint(p))
}

// editSavepointIn is the request to describe a savepoint. description is a pointer that is required: an empty string
// clears it.
type editSavepointIn struct {
	oneSavepointIn
	headIn
	Description *string `json:"description" nullable:"false" required:"true"`
}

// editSavepoint changes the description of a savepoint, which is not part of the dataset's history.
func (a *API) editSavepoint(c *fiber.Ctx, p catalog.Savepoint, in editSavepointIn) error {
	return run(a, write[catalog.Savepoint]{
		c: c, header: in.header(), about: "Describing the savepoint",
		do: func(ctx context.Context, r storage.Request) (catalog.Savepoint, error) {
			return a.store.DescribeSavepoint(ctx, p.DatasetID, p.ID, *in.Description, r)
		},
		tell: func(p catalog.Savepoint) (calls.Answer, error) { return say(http.StatusOK, "", viewSavepoint(p)) },
	})
}

// revertIn is the request to revert to a savepoint.
type revertIn struct {
	oneSavepointIn
	headerIn
	Message string `json:"message"`
}

// createRevert restores the state of a savepoint, as one commit.
func (a *API) createRevert(c *fiber.Ctx, p catalog.Savepoint, in revertIn) error {
	return run(a, write[catalog.Commit]{
		c: c, header: in.header(), about: "Reverting to " + storage.SavepointName(p.Number), tell: tellCommit,
		do: func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
			r.Message = in.Message
			return a.store.Revert(ctx, p.DatasetID, p.ID, r)
		},
	})
}
