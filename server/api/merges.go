package api

import (
	"context"
	"fmt"
	"math"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// mergeIn is the request to merge another dataset of the family.
type mergeIn struct {
	datasetIn
	headerIn
	Source       string               `json:"source" required:"true" description:"${merge.source}"`
	Autorollback *bool                `json:"autorollback" default:"true" description:"${merge.autorollback}"`
	Filter       *storage.MergeFilter `json:"filter" description:"Only actions with one of these keys or hashes."`
	Remember     bool                 `json:"remember" description:"${merge.remember}"`
	DryRun       bool                 `json:"dry_run" description:"Only report what would happen."`
	Message      string               `json:"message"`

	OnConflict storage.Take         `json:"on_conflict" enum:"ours,theirs" description:"${merge.on_conflict}"`
	Resolve    []storage.Resolution `json:"resolve" description:"${merge.resolve}"`
}

// header is that of the write: a dry run, whether the body or the query asks for it, is not a job and keeps nothing.
func (in mergeIn) header() headerIn {
	in.headerIn.DryRun = in.headerIn.DryRun || in.DryRun
	return in.headerIn
}

// merge returns what is asked of the store. autorollback is true by default (seed 001).
func (in mergeIn) merge(source catalog.Dataset) storage.Merge {
	return storage.Merge{
		Source: source.ID, Autorollback: in.Autorollback == nil || *in.Autorollback, Filter: in.Filter, Remember: in.Remember,
		OnConflict: in.OnConflict, Resolve: in.Resolve,
	}
}

// createMerge plays the actions of another dataset: 201 with the merge, 200 if there was nothing to play or for a dry
// run, 409 with the conflicts.
func (a *API) createMerge(c *fiber.Ctx, d catalog.Dataset, in mergeIn) error {
	source, err := a.store.FindDataset(storage.Reading(c.UserContext()), in.project(), in.Source)
	if err != nil {
		return err
	}
	return run(a, write[storage.Merged]{
		c: c, header: in.header(), about: fmt.Sprintf("Merging %s into %s", source.Name, d.Name), tell: tellMerge,
		do: func(ctx context.Context, r storage.Request) (storage.Merged, error) {
			r.Message = in.Message
			return a.store.Merge(ctx, d.ID, in.merge(source), r)
		},
	})
}

// mergeView is a merge with what it played, oldest first.
type mergeView struct {
	Commit *commitView  `json:"commit" description:"null if there was nothing to do, or on a dry run."`
	Played []actionView `json:"played" description:"As they are in this dataset; on a dry run, in the source."`
}

// mergedView is what a merge did, or would do.
type mergedView struct {
	mergeView
	Skipped   []actionView   `json:"skipped" description:"${merge.skipped}"`
	Conflicts []conflictView `json:"conflicts" description:"Of a dry run: what would prevent the merge."`
	Decided   int64          `json:"conflicts_decided" description:"${merge.conflicts_decided}"`
	*previewed
}

// conflictView is why an action can't be played.
type conflictView struct {
	Action   actionView               `json:"action" description:"Of the source."`
	Detail   string                   `json:"detail"`
	Variable *string                  `json:"variable" description:"Of a conflict of variables: its name."`
	Count    int64                    `json:"count" description:"Of a conflict of records: how many."`
	Records  []storage.RecordConflict `json:"records" description:"The first of them."`
}

// viewConflicts returns conflicts as clients see them, in the answer and in errors.
func viewConflicts(list []storage.MergeConflict) []conflictView {
	out := make([]conflictView, len(list))
	for i, m := range list {
		out[i] = conflictView{Action: viewAction(m.Action), Detail: m.Detail, Count: m.Count, Records: m.Records}
		if m.Variable != "" {
			out[i].Variable = &m.Variable
		}
		if m.Records == nil {
			out[i].Records = []storage.RecordConflict{}
		}
	}
	return out
}

// tellMerge makes the answer of a merge.
func tellMerge(m storage.Merged) (calls.Answer, error) {
	v := viewMerged(m)
	if v.Commit == nil {
		return say(http.StatusOK, "", v)
	}
	return say(http.StatusCreated, fmt.Sprintf("/api/v1/datasets/%s/merges/%d", v.Commit.DatasetID, v.Commit.ID), v)
}

// viewMerged returns what a merge did, or would do, as clients see it.
func viewMerged(m storage.Merged) mergedView {
	v := mergedView{Skipped: viewActions(m.Skipped), Conflicts: viewConflicts(m.Conflicts), Decided: m.Decided}
	v.Played = viewActions(m.Played)
	if m.Preview != nil {
		v.previewed = viewPreview(*m.Preview)
	}
	if m.Commit.ID != 0 {
		commit := viewCommit(m.Commit)
		v.Commit = &commit
	}
	return v
}

// listMergesIn selects a page of merges.
type listMergesIn struct {
	datasetIn
	pageIn
}

type mergeList struct {
	Merges     []commitView `json:"merges"`
	NextCursor *string      `json:"next_cursor"`
}

// listMerges lists the merges into a dataset, newest first.
func (a *API) listMerges(c *fiber.Ctx, d catalog.Dataset, in listMergesIn) error {
	limit, err := in.limit()
	if err != nil {
		return err
	}
	before, err := a.afterAction(c.UserContext(), d, in.pageIn, math.MaxInt64)
	if err != nil {
		return err
	}
	list, err := a.store.Merges(c.UserContext(), d.ID, before, limit+1)
	if err != nil {
		return err
	}
	page, next := firstPage(list, limit)
	return ok(c, mergeList{views(page, viewCommit), next})
}

// getMerge returns one merge with what it played. Other commits are not found here.
func (a *API) getMerge(c *fiber.Ctx, k catalog.Commit, _ oneCommitIn) error {
	if k.Mode != catalog.Merge {
		return &fault.Error{
			Kind: fault.NotFound, Code: "merge_not_found",
			Detail: fmt.Sprintf("Commit %d is not a merge; its mode is %s.", k.ID, k.Mode),
		}
	}
	found, err := a.detail(c.UserContext(), k)
	if err != nil {
		return err
	}
	return ok(c, mergeView{&found.commitView, found.Played})
}
