package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// actionView is a commit as collaborators see it (seed 001).
type actionView struct {
	CommitID        int64           `json:"commit_id"`
	DatasetID       string          `json:"dataset_id"`
	Datetime        time.Time       `json:"datetime"`
	User            string          `json:"user"`
	Key             string          `json:"key" description:"What was done, such as Dataset.append."`
	Hash            string          `json:"hash" description:"${action.hash}"`
	State           actionState     `json:"state"`
	Status          string          `json:"status" enum:"completed,rolled_back"`
	Message         string          `json:"message"`
	Params          json.RawMessage `json:"params"`
	MergeCommitID   *int64          `json:"merge_commit_id" description:"${action.merge_commit_id}"`
	RecordsAdded    int64           `json:"records_added"`
	RecordsRemoved  int64           `json:"records_removed"`
	RecordsModified int64           `json:"records_modified"`
	// A time as text: in a class that a generator makes, the field datetime hides the type of that name from later fields.
	VacuumedAt string `json:"vacuumed_at,omitempty" description:"${commit.vacuumed_at}"`
}

// actionState is defined by seed 001. An action that was rolled back is completed but not played.
type actionState struct {
	Failed    bool `json:"failed"`
	Completed bool `json:"completed"`
	Played    bool `json:"played"`
}

// viewAction returns a commit as an action. A commit that failed is not stored, so every action is completed.
func viewAction(c catalog.Commit) actionView {
	k := viewCommit(c)
	v := actionView{
		CommitID: k.ID, DatasetID: k.DatasetID, Datetime: k.CreatedAt, User: k.User, Key: storage.ActionKey(c), Hash: k.Hash,
		// A rolled-back action stays in the log: completed says that it happened, played whether it is still in effect.
		State: actionState{Completed: true, Played: c.RollbackCommitID == 0}, Status: k.Status, Message: k.Message,
		Params:        k.Params,
		MergeCommitID: k.MergeCommitID, RecordsAdded: k.RecordsAdded, RecordsRemoved: k.RecordsRemoved,
		RecordsModified: k.RecordsModified,
	}
	if k.VacuumedAt != nil {
		v.VacuumedAt = k.VacuumedAt.Format(time.RFC3339Nano)
	}
	return v
}

// viewActions returns commits as actions. The list is never null, so that clients can loop over it.
func viewActions(list []catalog.Commit) []actionView { return views(list, viewAction) }

// listActionsIn selects and orders actions.
type listActionsIn struct {
	datasetIn
	pageIn
	Sort  string   `query:"sort" default:"-datetime" enum:"datetime,-datetime,user,-user" json:"-"`
	User  string   `query:"user" json:"-"`
	Key   []string `query:"key" collectionFormat:"csv" description:"Only these keys, comma-separated." json:"-"`
	Since string   `query:"since" format:"date-time" description:"Only actions from this time on." json:"-"`
	Until string   `query:"until" format:"date-time" description:"Only actions up to this time." json:"-"`
}

// actionList is a page of actions.
type actionList struct {
	Actions    []actionView `json:"actions"`
	NextCursor *string      `json:"next_cursor"`
}

// listActions lists the actions of a dataset, including those that merges played, newest first by default.
func (a *API) listActions(c *fiber.Ctx) error {
	var in listActionsIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	filter, err := in.filter()
	if err != nil {
		return err
	}
	d, err := a.dataset(c.UserContext(), in.datasetIn)
	if err != nil {
		return err
	}
	if strings.HasSuffix(filter.Sort, "user") {
		return a.actionsByUser(c, d, in.pageIn, filter)
	}
	limit, err := in.limit()
	if err != nil {
		return err
	}
	if filter.After, err = a.afterAction(c.UserContext(), d, in.pageIn, 0); err != nil {
		return err
	}
	filter.Limit = limit + 1
	list, err := a.store.Actions(c.UserContext(), d.ID, filter)
	if err != nil {
		return err
	}
	page, next := firstPage(list, limit)
	return ok(c, actionList{viewActions(page), next})
}

// afterAction is afterCommit where the cursor must be of one of the dataset's commits.
func (a *API) afterAction(ctx context.Context, d catalog.Dataset, in pageIn, first int64) (int64, error) {
	after, err := in.afterCommit(first)
	if err != nil || in.Cursor == "" {
		return after, err
	}
	if _, err = a.store.CommitByID(ctx, d.ID, after); fault.KindOf(err) == fault.NotFound {
		err = invalid("cursor", "is not a cursor that this list returned")
	}
	return after, err
}

// actionsByUser lists actions in the order of users. A page can't be read from the catalog by id then, so that all are
// read.
func (a *API) actionsByUser(c *fiber.Ctx, d catalog.Dataset, in pageIn, filter storage.ActionFilter) error {
	list, err := a.store.Actions(c.UserContext(), d.ID, filter)
	if err != nil {
		return err
	}
	page, next, err := in.page(list)
	if err != nil {
		return err
	}
	return ok(c, actionList{viewActions(page), next})
}

// filter returns what the request selects, and the order.
func (in listActionsIn) filter() (f storage.ActionFilter, err error) {
	// A misspelled key would select nothing and look like an empty log, so it is refused with the keys that there are.
	known := storage.ActionKeys()
	for _, k := range in.Key {
		if !slices.Contains(known, k) {
			return f, invalid("key", fmt.Sprintf("there is no action key %q; the keys are %s", k, strings.Join(known, ", ")))
		}
	}
	f = storage.ActionFilter{User: in.User, Keys: in.Key, Sort: in.Sort}
	if f.Since, err = moment("since", in.Since); err != nil {
		return f, err
	}
	f.Until, err = moment("until", in.Until)
	return f, err
}

// moment parses a time; an empty text is the zero time.
func moment(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, invalid(field, "must be a time such as 2026-01-31T10:00:00Z")
	}
	return t, nil
}

// page returns the part of a list that follows the commit named by the cursor. New commits do not shift it.
func (in pageIn) page(list []catalog.Commit) (page []catalog.Commit, next *string, err error) {
	limit, err := in.limit()
	if err != nil {
		return nil, nil, err
	}
	after, err := in.after()
	if err != nil {
		return nil, nil, err
	}
	if after != "" {
		// By the commit and not by an offset: actions that arrive between two requests shift offsets.
		i := slices.IndexFunc(list, func(c catalog.Commit) bool { return fmt.Sprint(c.ID) == after })
		if i < 0 {
			return nil, nil, invalid("cursor", "is not a cursor that this list returned")
		}
		list = list[i+1:]
	}
	page, next = firstPage(list, limit)
	return page, next, nil
}

// firstPage returns the first entries of a list, and the cursor of the others, if there are any.
func firstPage(list []catalog.Commit, limit int) (page []catalog.Commit, next *string) {
	if len(list) <= limit {
		return list, nil
	}
	return list[:limit], cursor(fmt.Sprint(list[limit-1].ID))
}

// oneActionIn identifies an action.
type oneActionIn struct {
	datasetIn
	ID string `path:"id" required:"true" description:"Of its commit, or its hash." json:"-"`
}

// actionDetail is an action with its full commit.
type actionDetail struct {
	actionView
	Commit commitDetail `json:"commit"`
}

// getAction returns an action with its commit.
func (a *API) getAction(c *fiber.Ctx, d catalog.Dataset, in oneActionIn) error {
	k, err := a.action(c.UserContext(), d, in.ID)
	if err != nil {
		return err
	}
	commit, err := a.detail(c.UserContext(), k)
	if err != nil {
		return err
	}
	return ok(c, actionDetail{viewAction(k), commit})
}

// action finds an action by the id of its commit or by its hash: the newest, if it was played.
func (a *API) action(ctx context.Context, d catalog.Dataset, ref string) (catalog.Commit, error) {
	// The two can't be confused: a hash has 32 hexadecimal digits, more than an int64.
	if id, err := strconv.ParseInt(ref, 10, 64); err == nil {
		return a.store.CommitByID(ctx, d.ID, id)
	}
	return a.store.ActionByHash(ctx, d, ref)
}

// deltaView is what a fork has and its upstream lacks, or the reverse (seed 001), oldest first.
type deltaView struct {
	Dataset  deltaSide    `json:"dataset"`
	Upstream deltaSide    `json:"upstream"`
	Actions  []actionView `json:"actions"`
}

// deltaSide is one of the two datasets of a delta.
type deltaSide struct {
	ID               string     `json:"id"`
	Name             string     `json:"name"`
	ModificationTime time.Time  `json:"modification_time"`
	Revision         string     `json:"revision" description:"The head."`
	DeletedAt        *time.Time `json:"deleted_at"`
}

// viewSide returns a dataset as one side of a delta. Revision is the head, so a client can tell whether the delta is
// out of date.
func viewSide(s snapshot.State) deltaSide {
	v := viewDataset(s)
	return deltaSide{
		ID: v.ID, Name: v.Name, ModificationTime: v.ModifiedAt, Revision: fmt.Sprint(v.Head), DeletedAt: v.DeletedAt,
	}
}

// sinceForking returns the actions of a fork that its upstream does not have: what a merge would play.
func (a *API) sinceForking(c *fiber.Ctx, d catalog.Dataset, _ datasetIn) error {
	return a.delta(c, d, a.store.SinceForking)
}

// upstreamDelta returns the actions of the upstream that a fork does not have.
func (a *API) upstreamDelta(c *fiber.Ctx, d catalog.Dataset, _ datasetIn) error {
	return a.delta(c, d, a.store.UpstreamDelta)
}

// delta answers with the difference that find returns. A dataset without an upstream is refused.
func (a *API) delta(
	c *fiber.Ctx, d catalog.Dataset, find func(ctx context.Context, fork string) (storage.Delta, error),
) error {
	found, err := find(c.UserContext(), d.ID)
	if err != nil {
		return err
	}
	return ok(c, deltaView{viewSide(found.Dataset), viewSide(found.Upstream), viewActions(found.Actions)})
}
