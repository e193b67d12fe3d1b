package api

import (
	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// upkeepIn asks for a dataset's upkeep.
type upkeepIn struct{ datasetIn }

// upkeepView is how many files reading a dataset's records opens, and what upkeep would do next.
type upkeepView struct {
	FilesOpened int               `json:"files_opened" description:"Files that reading the head opens now."`
	Next        storage.Compacted `json:"next" description:"What upkeep would do next; zeros: nothing."`
	Vacuum      storage.Vacuumed  `json:"vacuum" description:"What vacuum would remove; zeros: nothing."`
}

// getUpkeep says what upkeep would do.
func (a *API) getUpkeep(c *fiber.Ctx, d catalog.Dataset, _ upkeepIn) error {
	next, err := a.store.Upkeep.Plan(c.UserContext(), d.ID)
	if err != nil {
		return err
	}
	opened, err := a.store.Upkeep.Opens(c.UserContext(), d.ID)
	if err != nil {
		return err
	}
	vacuum, err := a.store.Vacuums.Plan(c.UserContext(), d.ID)
	if err != nil {
		return err
	}
	return ok(c, upkeepView{opened, next, vacuum.Vacuumed})
}

// upkeepDone is what upkeep did, and how many files reading the dataset's records opens since.
type upkeepDone struct {
	FilesOpened int               `json:"files_opened" description:"Files that reading the head opens now."`
	Done        storage.Compacted `json:"done"`
}

// createUpkeep compacts a dataset now. It changes no state, so it is not kept, and may be sent again.
func (a *API) createUpkeep(c *fiber.Ctx, d catalog.Dataset, _ upkeepIn) error {
	done, err := a.store.Upkeep.Compact(c.UserContext(), d.ID)
	if err != nil {
		return err
	}
	opened, err := a.store.Upkeep.Opens(c.UserContext(), d.ID)
	if err != nil {
		return err
	}
	return ok(c, upkeepDone{opened, done})
}
