package api

import (
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
)

// repairView is a stored file that is known to be damaged, and what was done about it.
type repairView struct {
	Key    string  `json:"key" description:"The file below objects/ in the data directory."`
	Detail string  `json:"detail" description:"What is wrong with it."`
	Source *string `json:"source" description:"Where an intact copy is; null: none was found."`
	Done   bool    `json:"done" description:"It was put back."`
}

// repairList is what a repair found.
type repairList struct {
	Repairs []repairView `json:"repairs"`
}

// repairStoreIn is the request to repair the store.
type repairStoreIn struct {
	IdempotencyKey string `header:"Idempotency-Key" description:"${idempotency_key}" json:"-"`
	Prefer         string `header:"Prefer" description:"${prefer}" json:"-"`
	DryRun         bool   `query:"dry_run" description:"Only say what could be put back." json:"-"`
}

// repairStore puts damaged files back, from the server's own backups.
func (a *API) repairStore(c *fiber.Ctx) error {
	var in repairStoreIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	if in.DryRun {
		audit.Of(c.UserContext()).Reads()
		ctx, cancel := a.host.WhileConnected(c)
		defer cancel()
		all, err := a.store.RepairDamaged(ctx, false)
		if err != nil {
			return err
		}
		return ok(c, repairList{views(all, viewRepair)})
	}
	return run(a, write[[]storage.Repair]{
		c: c, header: headerIn{IdempotencyKey: in.IdempotencyKey, Prefer: in.Prefer}, about: "Repairing",
		do: func(ctx context.Context, _ storage.Request) ([]storage.Repair, error) {
			return a.store.RepairDamaged(ctx, true)
		},
		tell: func(all []storage.Repair) (calls.Answer, error) {
			return say(http.StatusOK, "", repairList{views(all, viewRepair)})
		},
	})
}

// viewRepair returns a repair as clients see it.
func viewRepair(r storage.Repair) repairView {
	v := repairView{Key: r.Key, Detail: r.Detail, Done: r.Done}
	if r.Source != "" {
		v.Source = &r.Source
	}
	return v
}
