package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// vacuumPlanView is what vacuum would remove, and what holds the rest.
type vacuumPlanView struct {
	Retention *retention `json:"retention" description:"${retention}"`
	storage.VacuumPlan
}

// getVacuum says what vacuum would remove.
func (a *API) getVacuum(c *fiber.Ctx, d catalog.Dataset, _ datasetIn) error {
	state, err := a.store.State(c.UserContext(), d.ID, "head")
	if err != nil {
		return err
	}
	plan, err := a.store.Vacuums.Plan(c.UserContext(), d.ID)
	if err != nil {
		return err
	}
	return ok(c, vacuumPlanView{viewRetention(state.Properties.Retention), plan})
}

// createVacuumIn is the request to vacuum a dataset and its forks.
type createVacuumIn struct {
	datasetIn
	headerIn
}

// vacuumDone is what vacuum removed.
type vacuumDone struct{ storage.Vacuumed }

// createVacuum removes what no kept state of a dataset's family sees.
func (a *API) createVacuum(c *fiber.Ctx, d catalog.Dataset, in createVacuumIn) error {
	return run(a, write[storage.Vacuumed]{
		c: c, header: in.header(), about: "Vacuuming the dataset",
		tell: func(v storage.Vacuumed) (calls.Answer, error) { return say(http.StatusOK, "", vacuumDone{v}) },
		do: func(ctx context.Context, r storage.Request) (storage.Vacuumed, error) {
			return a.store.Vacuums.Vacuum(ctx, d.ID, r)
		},
	})
}

// listVacuumsIn selects a page of past vacuums.
type listVacuumsIn struct {
	datasetIn
	pageIn
}

// vacuumList is a page of past vacuums.
type vacuumList struct {
	Vacuums    []pastVacuum `json:"vacuums"`
	NextCursor *string      `json:"next_cursor"`
}

// pastVacuum is a vacuum that removed something.
type pastVacuum struct {
	ID        int64     `json:"id"`
	DatasetID string    `json:"dataset_id" description:"For which it was asked; it is of all forks too."`
	User      string    `json:"user" description:"Empty if the server did it by itself."`
	CreatedAt time.Time `json:"created_at"`
	storage.Vacuumed
}

// listVacuums lists what vacuum removed of a dataset's family, newest first. The cursor is an id.
func (a *API) listVacuums(c *fiber.Ctx, d catalog.Dataset, in listVacuumsIn) error {
	limit, err := in.limit()
	if err != nil {
		return err
	}
	before, err := in.afterCommit(1<<63 - 1)
	if err != nil {
		return err
	}
	list, err := a.store.Vacuums.List(c.UserContext(), d, before, limit+1)
	if err != nil {
		return err
	}
	out := vacuumList{Vacuums: []pastVacuum{}}
	for i, r := range list {
		if i == limit {
			out.NextCursor = cursor(fmt.Sprint(list[i-1].ID))
			break
		}
		v := pastVacuum{ID: r.ID, DatasetID: r.DatasetID, User: r.User, CreatedAt: r.CreatedAt}
		if err := json.Unmarshal(r.Details, &v.Vacuumed); err != nil {
			return err
		}
		out.Vacuums = append(out.Vacuums, v)
	}
	return ok(c, out)
}
