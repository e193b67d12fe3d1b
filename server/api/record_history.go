package api

import (
	"encoding/json"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage"
)

// recordHistoryIn selects a page of the history of one record.
type recordHistoryIn struct {
	refIn
	pageIn
	Key string `query:"key" required:"true" description:"${record.key}" json:"-"`
}

// recordHistory is a page of the history of one record.
type recordHistory struct {
	History    []recordChangeView `json:"history"`
	NextCursor *string            `json:"next_cursor"`
}

// recordChangeView is what a commit did to a record.
type recordChangeView struct {
	Commit  commitView      `json:"commit"`
	Change  string          `json:"change" enum:"added,removed,modified"`
	Before  json.RawMessage `json:"before" description:"The record before the commit; null if there was none."`
	After   json.RawMessage `json:"after" description:"The record after the commit; null if there is none."`
	Columns []string        `json:"columns" description:"Of a modified record: the columns whose values differ."`
}

// getRecordHistory lists the commits that changed a record, newest first. The cursor is a commit id.
func (a *API) getRecordHistory(c *fiber.Ctx) error {
	var in recordHistoryIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	q := storage.RecordQuery{Ref: in.ref(), Key: in.Key}
	var err error
	if q.Limit, err = in.limit(); err != nil {
		return err
	}
	// 0 stands for the first page: no commit has that id.
	if q.Before, err = in.afterCommit(0); err != nil {
		return err
	}
	d, err := a.dataset(c.UserContext(), in.datasetIn)
	if err != nil {
		return err
	}
	q.Dataset = d.ID
	list, more, err := a.store.RecordHistory(c.UserContext(), q)
	if err != nil {
		return err
	}
	out := recordHistory{History: []recordChangeView{}}
	for _, k := range list {
		out.History = append(out.History, recordChangeView{
			viewCommit(k.Commit), k.Change, k.Before, k.After, append([]string{}, k.Columns...),
		})
	}
	if more && len(list) > 0 {
		out.NextCursor = cursor(fmt.Sprint(list[len(list)-1].Commit.ID))
	}
	return ok(c, out)
}
