package crunch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// actionsPath returns the path of a dataset's catalog of actions.
func actionsPath(dataset string) string { return datasetPath(dataset) + "actions/" }

// actionPath returns the path of an action's resource.
func actionPath(k catalog.Commit) string {
	return actionsPath(k.DatasetID) + strconv.FormatInt(k.ID, 10) + "/"
}

// actionTuple is an action in a dataset's catalog of actions.
type actionTuple struct {
	ID          string      `json:"id"`
	DateTime    string      `json:"datetime"`
	User        string      `json:"user"`
	Key         string      `json:"key"`
	Hash        string      `json:"hash"`
	Description string      `json:"description"`
	State       actionState `json:"state"`
}

// actionState is defined by seed 001. An action that was rolled back is completed but not played.
type actionState struct {
	Failed    bool `json:"failed"`
	Completed bool `json:"completed"`
	Played    bool `json:"played"`
}

// viewAction returns an action as an entry of the catalog.
func viewAction(k catalog.Commit) actionTuple {
	return actionTuple{
		ID: strconv.FormatInt(k.ID, 10), DateTime: moment(k.CreatedAt), User: k.User, Key: storage.ActionKey(k), Hash: k.Hash,
		Description: k.Message, State: actionState{Completed: true, Played: k.RollbackCommitID == 0},
	}
}

// actionBody is an action with exactly what it changed, as an entity and in the deltas between a fork and its upstream.
type actionBody struct {
	actionTuple
	Params map[string]any `json:"params"`
}

// viewParams returns the parameters of an action, with its dataset. Variables have the ids and types
// that this face uses elsewhere.
func viewParams(k catalog.Commit) actionBody {
	params := map[string]any{}
	if json.Unmarshal(k.Params, &params) != nil || params == nil {
		params = map[string]any{}
	}
	delete(params, "key") // the action has it
	params["dataset"] = map[string]any{"id": k.DatasetID, "branch": "master"}
	var of struct {
		Definition *schema.Column
	}
	// The log has the column with its field id and DuckDB's type; the clients expect theirs.
	if json.Unmarshal(k.Params, &of) == nil && of.Definition != nil {
		params["variable"] = variableID(*of.Definition)
		params["definition"] = viewVariable(schema.Schema{}, *of.Definition)
		params["owner_id"] = nil
	}
	return actionBody{viewAction(k), params}
}

// listActions shows the actions of a dataset, newest first by default.
func (f *Face) listActions(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	filter, err := actionFilter(c)
	if err != nil {
		return err
	}
	limit := filter.Limit
	filter.Limit++ // whether there are more
	actions, err := f.store.Actions(ctx, s.Dataset.ID, filter)
	if err != nil {
		return err
	}
	out := &index{}
	for _, k := range actions[:min(limit, len(actions))] {
		out.add(site(c)+actionPath(k), viewAction(k))
	}
	at := site(c) + actionsPath(s.Dataset.ID)
	views := links{"since_forking": at + "since_forking/", "upstream_delta": at + "upstream_delta/"}
	if len(actions) > limit {
		views["next"] = at + "?" + nextPage(c, filter.Offset+limit)
	}
	return show(c, document{Element: catalogElement, Self: at, Index: out, Views: views})
}

// nextPage returns the query of a request with another offset.
func nextPage(c *fiber.Ctx, offset int) string {
	query, err := url.ParseQuery(string(c.Request().URI().QueryString()))
	if err != nil {
		query = url.Values{} // what could not be read had no effect
	}
	query.Set("offset", strconv.Itoa(offset))
	return query.Encode()
}

// mostActions is how many actions a catalog has unless limit says otherwise. The clients do not page, and few datasets
// have more: the first ones are then followed by a link to the next.
const mostActions = 10_000

// actionFilter returns what a request selects: sort by datetime or user, each also with a - prefix; user; key; since,
// until and datetime; limit and offset. Times may have any precision: since takes the first moment that the text may
// mean, until the last.
func actionFilter(c *fiber.Ctx) (out storage.ActionFilter, err error) {
	out.User, out.Sort = c.Query("user"), c.Query("sort")
	switch out.Sort {
	case "", "datetime", "-datetime", "user", "-user":
	default:
		return out, invalid("sort", "must be datetime, -datetime, user or -user")
	}
	if key := c.Query("key"); key != "" {
		out.Keys = []string{key}
	}
	if out.Since, _, err = queryTime(c, "since"); err != nil {
		return out, err
	}
	if _, out.Until, err = queryTime(c, "until"); err != nil {
		return out, err
	}
	if c.Query("datetime") != "" {
		if out.Since, out.Until, err = queryTime(c, "datetime"); err != nil {
			return out, err
		}
	}
	offset, err := queryInt(c, "offset", 0)
	if err != nil {
		return out, err
	}
	limit, err := queryInt(c, "limit", mostActions)
	out.Offset, out.Limit = int(offset), int(min(limit, mostActions))
	return out, err
}

// getAction shows one action with what it changed.
func (f *Face) getAction(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(c.Params("action"), 10, 64)
	if err != nil {
		return notFound("action_not_found",
			fmt.Sprintf("Action '%.40s' not found in dataset '%s'", c.Params("action"), s.Properties.Name))
	}
	k, err := f.store.CommitByID(ctx, s.Dataset.ID, id)
	if err != nil {
		return err
	}
	digests, err := f.store.Digests.Known(ctx, []int64{k.ID})
	if err != nil {
		return err
	}
	body := struct {
		actionBody
		Added    int64  `json:"records_added"`
		Removed  int64  `json:"records_removed"`
		Modified int64  `json:"records_modified"`
		Total    int64  `json:"records_total"`
		Digest   string `json:"digest,omitempty"` // if it was computed before
	}{viewParams(k), k.Added, k.Removed, k.Modified, k.Total, digests[k.ID]}
	return show(c, document{Element: entityElement, Self: site(c) + actionPath(k), Body: body})
}

// sinceForking shows what a fork has and its upstream lacks, which is what a merge of the fork would play.
func (f *Face) sinceForking(c *fiber.Ctx) error { return f.showDelta(c, f.store.SinceForking) }

// upstreamDelta shows what the upstream has and the fork lacks.
func (f *Face) upstreamDelta(c *fiber.Ctx) error { return f.showDelta(c, f.store.UpstreamDelta) }

// revision identifies the state of a dataset that a delta was computed at.
type revision struct {
	ID               string `json:"id"`
	Name             string `json:"name"`
	Revision         string `json:"revision"`
	ModificationTime string `json:"modification_time"`
}

// viewRevision returns a dataset in a delta. Its revision is its head.
func viewRevision(s snapshot.State) revision {
	modified := s.Dataset.CreatedAt
	if s.Commit.CreatedAt.After(modified) {
		modified = s.Commit.CreatedAt
	}
	return revision{
		ID: s.Dataset.ID, Name: s.Properties.Name, Revision: strconv.FormatInt(s.Commit.ID, 10),
		ModificationTime: moment(modified),
	}
}

// showDelta shows the actions that a fork has and its upstream lacks, or the reverse.
func (f *Face) showDelta(c *fiber.Ctx, of func(context.Context, string) (storage.Delta, error)) error {
	ctx := c.UserContext()
	id, err := param(c, "dataset")
	if err != nil {
		return err
	}
	delta, err := of(ctx, id)
	if err != nil {
		return err
	}
	actions := []actionBody{}
	for _, k := range delta.Actions {
		actions = append(actions, viewParams(k))
	}
	return showView(c,
		map[string]any{"dataset": viewRevision(delta.Dataset), "upstream": viewRevision(delta.Upstream), "actions": actions})
}

// mergeBody is a request to play the actions of another dataset.
type mergeBody struct {
	Dataset      string `json:"dataset"`
	Autorollback *bool  `json:"autorollback"`
	Remember     bool   `json:"remember"`
	Filter       *struct {
		Key      []string `json:"key"`
		Hash     []string `json:"hash"`
		Remember bool     `json:"remember"` // described in the seed's text; in its example it is next to the filter
	} `json:"filter"`
}

// wanted returns the requested merge. autorollback is true unless the client says otherwise (seed 001).
func (in mergeBody) wanted() (m storage.Merge, err error) {
	m = storage.Merge{Autorollback: in.Autorollback == nil || *in.Autorollback, Remember: in.Remember}
	if in.Filter != nil {
		m.Remember = m.Remember || in.Filter.Remember
		m.Filter = &storage.MergeFilter{Keys: in.Filter.Key, Hashes: in.Filter.Hash}
	}
	if in.Dataset == "" {
		return m, invalid("dataset", "is required: the URL of the dataset whose actions are to be played")
	}
	m.Source, err = idIn("dataset", in.Dataset, "datasets")
	return m, err
}

// merge plays the actions of another dataset on this one.
func (f *Face) merge(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	var in mergeBody
	if err := f.readBody(c, &in); err != nil {
		return err
	}
	m, err := in.wanted()
	if err != nil {
		return err
	}
	// 204 where the merge is done in time, 409 where it conflicts; later, the progress says the same.
	return finish(f, c, work[storage.Merged]{
		about: "Merging",
		tell: func(storage.Merged) calls.Answer {
			return calls.Answer{Status: http.StatusNoContent, Location: actionsPath(s.Dataset.ID)}
		},
		do: func(ctx context.Context, r storage.Request) (storage.Merged, error) {
			return f.store.Merge(ctx, s.Dataset.ID, m, r)
		},
	}, progressPath)
}
