package api

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// eraseIn is the request to erase records.
type eraseIn struct {
	datasetIn
	headerIn
	Keys   []json.RawMessage `json:"keys" description:"${erase.keys}"`
	Where  string            `json:"where" description:"${erase.where}"`
	Reason string            `json:"reason" maxLength:"1000" description:"${erase.reason}"`
}

// erasureView is what an erasure removed, and where records may still be found. It has no values of records.
type erasureView struct {
	ID        *int64     `json:"id" description:"null: there was nothing to erase."`
	User      string     `json:"user"`
	Reason    string     `json:"reason"`
	CreatedAt *time.Time `json:"created_at"`
	storage.ErasedDetails
}

// viewErasure returns an erasure as clients see it.
func viewErasure(e storage.Erased) erasureView {
	v := erasureView{User: e.User, Reason: e.Reason, ErasedDetails: e.ErasedDetails}
	if e.ID != 0 {
		v.ID, v.CreatedAt = &e.ID, &e.CreatedAt
	}
	if v.Datasets == nil {
		v.Datasets = []storage.ErasedDataset{}
	}
	if v.StoreBackups == nil && e.ID == 0 {
		v.StoreBackups = []storage.ErasedStoreBackup{}
	}
	if v.Backups == nil {
		v.Backups = []storage.ErasedBackup{}
	}
	return v
}

// createErasure erases records from all history. Where there is nothing to erase, nothing is written, and id is null.
func (a *API) createErasure(c *fiber.Ctx, d catalog.Dataset, in eraseIn) error {
	return run(a, write[storage.Erased]{
		c: c, header: in.header(), about: "Erasing records",
		do: func(ctx context.Context, r storage.Request) (storage.Erased, error) {
			return a.store.Removals.Erase(ctx, d.ID,
				storage.Erasure{Keys: in.Keys, Where: in.Where, Reason: in.Reason}, r)
		},
		tell: func(e storage.Erased) (calls.Answer, error) {
			return say(http.StatusCreated, "/api/v1/datasets/"+d.ID+"/erasures", viewErasure(e))
		},
	})
}

// listErasuresIn selects a page of erasures.
type listErasuresIn struct {
	datasetIn
	pageIn
}

// erasureList is a page of erasures.
type erasureList struct {
	Erasures   []erasureView `json:"erasures"`
	NextCursor *string       `json:"next_cursor"`
}

// listErasures lists the erasures in a dataset and its forks, newest first.
func (a *API) listErasures(c *fiber.Ctx, d catalog.Dataset, in listErasuresIn) error {
	limit, err := in.limit()
	if err != nil {
		return err
	}
	before, err := in.afterCommit(math.MaxInt64) // their ids are of the same sequence
	if err != nil {
		return err
	}
	list, err := a.store.Erasures(c.UserContext(), d.ID, before, limit+1)
	if err != nil {
		return err
	}
	out := erasureList{}
	if len(list) > limit {
		list = list[:limit]
		out.NextCursor = cursor(fmt.Sprint(list[limit-1].ID))
	}
	out.Erasures = views(list, viewErasure)
	return ok(c, out)
}
