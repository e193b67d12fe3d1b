package api

import (
	"cmp"
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// forkIn is the request to fork a dataset.
type forkIn struct {
	datasetIn
	headerIn
	Name        string  `json:"name" description:"Of the fork; by default FORK #n of this dataset's name."`
	Description *string `json:"description" description:"Of the fork; null: this dataset's."`
	Ref         string  `json:"ref" default:"head" description:"Where the fork starts: ${refs}."`
	Project     int64   `json:"project_id" description:"Of the fork; 0: this dataset's."`
	Message     string  `json:"message"`
}

// createFork creates a dataset that shares the history and the files of another up to a ref. It copies no data.
func (a *API) createFork(c *fiber.Ctx, d catalog.Dataset, in forkIn) error {
	if err := permit.Check(host.Caller(c), cmp.Or(in.Project, d.ProjectID), access.Writer); err != nil {
		return err
	}
	return run(a, write[snapshot.State]{
		c: c, header: in.header(), about: "Forking " + d.Name, tell: tellDataset(http.StatusCreated),
		do: func(ctx context.Context, r storage.Request) (snapshot.State, error) {
			r.Message = in.Message
			return a.store.Fork(ctx, d.ID,
				storage.NewFork{Name: in.Name, Description: in.Description, ProjectID: in.Project, Ref: in.Ref}, r)
		},
	})
}

// forkList is all forks of a dataset.
type forkList struct {
	Forks []datasetView `json:"forks"`
}

// listForks lists the forks of a dataset, without deleted ones.
func (a *API) listForks(c *fiber.Ctx, d catalog.Dataset, _ datasetIn) error {
	list, err := a.store.Forks(c.UserContext(), d.ID)
	if err != nil {
		return err
	}
	return ok(c, forkList{views(list, viewDataset)})
}
