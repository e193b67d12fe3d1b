package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// comparisonComments is the path of what was said about a comparison.
const comparisonComments = one + "/compare/comments"

// discussionRoutes returns the routes about comments on comparisons. As with proposals, those who may write in the
// project of either dataset take part.
func (a *API) discussionRoutes() []route {
	return []route{
		{
			method: "GET", path: one + "/discussions", id: "listDiscussions", tag: "data", role: access.Reader,
			summary: "The comparisons of the dataset that were commented on, the last one first",
			in:      datasetIn{}, status: 200, out: discussionList{}, problems: finds, handler: onDataset(a, a.listDiscussions),
		},
		{
			method: "GET", path: comparisonComments, id: "listComparisonComments", tag: "data", role: access.Reader,
			summary: "The comments on a comparison, the oldest first",
			in:      compareIn{}, status: 200, out: comparisonDiscussion{}, problems: reads, handler: a.listComparisonComments,
		},
		{
			method: "POST", path: comparisonComments, id: "createComparisonComment", tag: "data", role: access.Reader,
			summary: "Comment on a comparison, or on a record that differs",
			in:      comparisonCommentIn{}, status: 201, out: entryView{}, problems: writes, handler: a.createComparisonComment,
		},
	}
}

// comparedView are the two states of a comparison that is discussed.
type comparedView struct {
	FromCommit int64            `json:"from_commit"`
	ToCommit   int64            `json:"to_commit"`
	ToDataset  *proposedDataset `json:"to_dataset" description:"Of a comparison with another dataset."`
}

// discussionView is a discussion in a list.
type discussionView struct {
	comparedView
	Comments  int       `json:"comments" description:"How many there are."`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// discussionList is all discussions of a dataset's comparisons.
type discussionList struct {
	Discussions []discussionView `json:"discussions"`
}

// listDiscussions lists the comparisons of a dataset that were commented on.
func (a *API) listDiscussions(c *fiber.Ctx, d catalog.Dataset, _ datasetIn) error {
	all, err := a.store.Discussions(c.UserContext(), d.ID)
	if err != nil {
		return err
	}
	return ok(c, discussionList{views(all, func(d storage.Discussed) discussionView {
		of := comparedView{d.FromCommit, d.ToCommit, viewProposed(d.To)}
		return discussionView{of, d.Comments, d.CreatedAt, d.UpdatedAt}
	})})
}

// comparisonDiscussion is what was said about a comparison.
type comparisonDiscussion struct {
	comparedView
	Comments []entryView `json:"comments"`
	Allowed  []string    `json:"allowed" description:"What you may do: comment."`
}

// discussable is a comparison that may be discussed.
type discussable struct {
	from, to catalog.Dataset
	catalog.Compared
}

// other returns the other dataset of the comparison; nil: there is none.
func (d discussable) other() *catalog.Dataset {
	if d.from.ID == d.to.ID {
		return nil
	}
	return &d.to
}

// discussable finds the commits that a comparison is of. Vacuum may have removed their states: what was said is there.
func (a *API) discussable(ctx context.Context, in compareIn) (d discussable, err error) {
	if d.from, d.to, err = a.sides(ctx, in); err != nil {
		return d, err
	}
	d.DatasetID, d.ToDatasetID = d.from.ID, d.to.ID
	if d.FromCommit, err = a.store.Locate(ctx, d.DatasetID, in.From); err != nil {
		return d, err
	}
	d.ToCommit, err = a.store.Locate(ctx, d.ToDatasetID, in.To)
	return d, err
}

// listComparisonComments returns what was said about a comparison.
func (a *API) listComparisonComments(c *fiber.Ctx) error {
	var in compareIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	of, err := a.discussable(c.UserContext(), in)
	if err != nil {
		return err
	}
	d, err := a.store.Discussion(c.UserContext(), of.Compared)
	if err != nil {
		return err
	}
	allowed := []string{}
	if takesPart(host.Caller(c), of.from, of.other()) == nil {
		allowed = append(allowed, "comment")
	}
	at := comparedView{of.FromCommit, of.ToCommit, viewProposed(of.other())}
	return ok(c, comparisonDiscussion{at, views(d.Entries, viewEntry), allowed})
}

// comparisonCommentIn is the request to comment on a comparison.
type comparisonCommentIn struct {
	compareIn
	headerIn
	Text string                     `json:"text" required:"true" minLength:"1" maxLength:"20000"`
	Key  map[string]json.RawMessage `json:"key" nullable:"false" description:"${proposal.key}"`
}

// createComparisonComment adds a comment to a comparison.
func (a *API) createComparisonComment(c *fiber.Ctx) error {
	var in comparisonCommentIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	of, err := a.discussable(c.UserContext(), in.compareIn)
	if err != nil {
		return err
	}
	if err := takesPart(host.Caller(c), of.from, of.other()); err != nil {
		return err
	}
	return run(a, write[catalog.DiscussionEntry]{
		c: c, header: in.header(), about: "Commenting",
		do: func(ctx context.Context, r storage.Request) (catalog.DiscussionEntry, error) {
			return a.store.Discuss(ctx, of.Compared, storage.NewComment{Text: in.Text, Key: in.Key}, r)
		},
		tell: func(e catalog.DiscussionEntry) (calls.Answer, error) {
			return say(http.StatusCreated, comparisonPath(of.Compared), viewEntry(e))
		},
	})
}

// comparisonPath is the URL of what was said about a comparison.
func comparisonPath(of catalog.Compared) string {
	query := url.Values{"from": {fmt.Sprint(of.FromCommit)}, "to": {fmt.Sprint(of.ToCommit)}}
	if of.ToDatasetID != of.DatasetID {
		query.Set("to_dataset", of.ToDatasetID)
	}
	return fmt.Sprintf("%s/%s/compare/comments?%s", datasets, of.DatasetID, query.Encode())
}
