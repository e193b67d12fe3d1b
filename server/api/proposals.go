package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// proposals is the path of the proposals to merge into a dataset.
const proposals = one + "/proposals"

// proposalRoutes returns the routes about proposals. Those who may write in the project of either dataset take part:
// whoever has a fork of their own may propose it, and answer. What they ask for is merged by a writer of the target.
func (a *API) proposalRoutes() []route {
	const proposal = proposals + "/{proposal}"
	return []route{
		{
			method: "POST", path: proposals, id: "createProposal", tag: "proposals", role: access.Reader,
			summary: "Ask that another dataset of the family be merged into this one",
			in:      createProposalIn{}, status: 201, out: proposalDetail{}, problems: writes,
			handler: onDataset(a, a.createProposal),
		},
		{
			method: "GET", path: proposals, id: "listProposals", tag: "proposals", role: access.Reader,
			summary: "Proposals to merge into this dataset, newest first; or those to merge it into others",
			in:      listProposalsIn{}, status: 200, out: proposalList{}, problems: finds,
			handler: onDataset(a, a.listProposals),
		},
		{
			method: "GET", path: proposal, id: "getProposal", tag: "proposals", role: access.Reader,
			summary: "One proposal, with its discussion",
			in:      oneProposalIn{}, status: 200, out: proposalDetail{}, problems: finds,
			handler: onProposal(a, a.getProposal),
		},
		{
			method: "PATCH", path: proposal, id: "editProposal", tag: "proposals", role: access.Reader,
			summary: "Change what a proposal says, close it, or open it again",
			in:      editProposalIn{}, status: 200, out: proposalDetail{}, problems: writes,
			handler: onProposal(a, a.editProposal),
		},
		{
			method: "GET", path: proposal + "/checks", id: "checkProposal", tag: "proposals", role: access.Reader,
			summary: "Whether the proposal would merge now, with its conflicts and what the gates say",
			in:      oneProposalIn{}, status: 200, out: checksView{}, problems: reads,
			handler: onProposal(a, a.checkProposal),
		},
		{
			method: "POST", path: proposal + "/comments", id: "createComment", tag: "proposals", role: access.Reader,
			summary: "Comment on a proposal, or on a record that it changes",
			in:      commentIn{}, status: 201, out: entryView{}, problems: writes, handler: onProposal(a, a.createComment),
		},
		{
			method: "POST", path: proposal + "/approvals", id: "createApproval", tag: "proposals", role: access.Maintainer,
			summary: "Approve of a proposal as it is now",
			in:      approvalIn{}, status: 201, out: entryView{}, problems: writes, handler: onProposal(a, a.createApproval),
		},
		{
			method: "DELETE", path: proposal + "/approvals", id: "deleteApproval", tag: "proposals", role: access.Maintainer,
			summary: "Withdraw an approval of one's own",
			in:      withdrawIn{}, status: 204, problems: writes, handler: onProposal(a, a.deleteApproval),
		},
		{
			method: "POST", path: proposal + "/merge", id: "mergeProposal", tag: "proposals", role: access.Writer,
			summary: "Merge a proposal; 200 on a dry run",
			in:      mergeProposalIn{}, status: 201, also: 200, out: mergedView{}, problems: writes,
			handler: onProposal(a, a.mergeProposal),
		},
	}
}

// oneProposalIn identifies a proposal.
type oneProposalIn struct {
	datasetIn
	Proposal string `path:"proposal" required:"true" description:"Its number." json:"-"`
}

func (in oneProposalIn) ofProposal() oneProposalIn { return in }

// onProposal returns the handler of requests about one proposal.
func onProposal[In interface{ ofProposal() oneProposalIn }](
	a *API, answer func(*fiber.Ctx, storage.Proposed, In) error,
) fiber.Handler {
	return handle(a, func(ctx context.Context, in In) (storage.Proposed, error) {
		one := in.ofProposal()
		d, err := a.dataset(ctx, one.datasetIn)
		if err != nil {
			return storage.Proposed{}, err
		}
		number, isNumber := pathNumber(one.Proposal)
		if !isNumber {
			return storage.Proposed{}, fault.Errorf(fault.NotFound, "proposal_not_found",
				"Proposal %s not found for dataset '%s': proposals have numbers", fault.Clip(one.Proposal), d.Name)
		}
		audit.Of(ctx).About("proposal %d", number)
		return a.store.FindProposal(ctx, d.ID, number)
	}, answer)
}

// takesPart refuses a caller who may write in the project of neither dataset. source is nil if it is not known.
func takesPart(c access.Caller, target catalog.Dataset, source *catalog.Dataset) error {
	if source != nil && c.May(source.ProjectID, access.Writer) {
		return nil
	}
	return permit.Check(c, target.ProjectID, access.Writer)
}

// createProposalIn is the request to open a proposal.
type createProposalIn struct {
	datasetIn
	headerIn
	Source      string `json:"source" required:"true" description:"${merge.source}"`
	Title       string `json:"title" required:"true" minLength:"1" maxLength:"200"`
	Description string `json:"description" maxLength:"20000"`
}

// createProposal opens a proposal.
func (a *API) createProposal(c *fiber.Ctx, d catalog.Dataset, in createProposalIn) error {
	source, err := a.store.FindDataset(storage.Reading(c.UserContext()), in.project(), in.Source)
	if err != nil {
		return err
	}
	caller := host.Caller(c)
	if err := takesPart(caller, d, &source); err != nil {
		return err
	}
	return run(a, write[storage.Proposed]{
		c: c, header: in.header(), about: "Opening a proposal",
		do: func(ctx context.Context, r storage.Request) (storage.Proposed, error) {
			n := storage.NewProposal{Source: source.ID, Title: in.Title, Description: in.Description}
			return a.store.OpenProposal(ctx, d.ID, n, r)
		},
		tell: func(p storage.Proposed) (calls.Answer, error) {
			return say(http.StatusCreated, proposalPath(p.Proposal), viewProposalDetail(caller, p))
		},
	})
}

// proposalPath is the URL of a proposal.
func proposalPath(p catalog.Proposal) string {
	return fmt.Sprintf("%s/%s/proposals/%d", datasets, p.DatasetID, p.Number)
}

// listProposalsIn selects a page of proposals.
type listProposalsIn struct {
	datasetIn
	pageIn
	State     string `query:"state" enum:"open,closed,merged" description:"By default all." json:"-"`
	Direction string `query:"direction" enum:"incoming,outgoing" default:"incoming" description:"${proposal.direction}" json:"-"`
}

// proposalList is a page of proposals.
type proposalList struct {
	Proposals  []proposalView `json:"proposals"`
	NextCursor *string        `json:"next_cursor"`
}

// listProposals lists the proposals to a dataset, or from it.
func (a *API) listProposals(c *fiber.Ctx, d catalog.Dataset, in listProposalsIn) error {
	state := catalog.ProposalState(in.State)
	switch state {
	case "", catalog.ProposalOpen, catalog.ProposalClosed, catalog.ProposalMerged:
	default:
		return invalid("state", "must be open, closed or merged")
	}
	switch in.Direction {
	case "", "incoming":
	case "outgoing":
		return a.listOutgoing(c, d, state)
	default:
		return invalid("direction", "must be incoming or outgoing")
	}
	limit, err := in.limit()
	if err != nil {
		return err
	}
	before, err := in.afterCommit(catalog.Forever)
	if err != nil {
		return err
	}
	list, err := a.store.Proposals(c.UserContext(), d.ID, state, before, limit+1)
	if err != nil {
		return err
	}
	var next *string
	if len(list) > limit {
		list = list[:limit]
		next = cursor(fmt.Sprint(list[limit-1].Number))
	}
	return ok(c, proposalList{views(list, viewProposal), next})
}

// listOutgoing lists all proposals whose source is a dataset. They are few, as there is one open one to each target.
func (a *API) listOutgoing(c *fiber.Ctx, d catalog.Dataset, state catalog.ProposalState) error {
	list, err := a.store.ProposalsFrom(c.UserContext(), d.ID)
	if err != nil {
		return err
	}
	out := proposalList{Proposals: []proposalView{}}
	for _, p := range list {
		if state == "" || p.State == state {
			out.Proposals = append(out.Proposals, viewProposal(p))
		}
	}
	return ok(c, out)
}

// getProposal describes one proposal.
func (a *API) getProposal(c *fiber.Ctx, p storage.Proposed, _ oneProposalIn) error {
	return ok(c, viewProposalDetail(host.Caller(c), p))
}

// editProposalIn is the request to change a proposal. Fields that are left out keep their values.
type editProposalIn struct {
	oneProposalIn
	headIn
	Title       *string                `json:"title" nullable:"false" maxLength:"200"`
	Description *string                `json:"description" nullable:"false" maxLength:"20000"`
	State       *catalog.ProposalState `json:"state" nullable:"false" enum:"open,closed" description:"${proposal.state}"`
}

// editProposal changes what a proposal says, closes it or opens it again.
func (a *API) editProposal(c *fiber.Ctx, p storage.Proposed, in editProposalIn) error {
	caller := host.Caller(c)
	if err := takesPart(caller, *p.Target, p.Source); err != nil {
		return err
	}
	return run(a, write[storage.Proposed]{
		c: c, header: in.header(), about: "Changing the proposal",
		do: func(ctx context.Context, r storage.Request) (storage.Proposed, error) {
			e := storage.ProposalEdit{Title: in.Title, Description: in.Description, State: in.State}
			return a.store.EditProposal(ctx, p.DatasetID, p.Number, e, r)
		},
		tell: func(p storage.Proposed) (calls.Answer, error) {
			return say(http.StatusOK, "", viewProposalDetail(caller, p))
		},
	})
}

// commentIn is the request to comment on a proposal.
type commentIn struct {
	oneProposalIn
	headerIn
	Text string                     `json:"text" required:"true" minLength:"1" maxLength:"20000"`
	Key  map[string]json.RawMessage `json:"key" nullable:"false" description:"${proposal.key}"`
}

// createComment adds a comment to a proposal.
func (a *API) createComment(c *fiber.Ctx, p storage.Proposed, in commentIn) error {
	if err := takesPart(host.Caller(c), *p.Target, p.Source); err != nil {
		return err
	}
	return run(a, write[catalog.DiscussionEntry]{
		c: c, header: in.header(), about: "Commenting", tell: tellEntry(p.Proposal),
		do: func(ctx context.Context, r storage.Request) (catalog.DiscussionEntry, error) {
			return a.store.Comment(ctx, p.DatasetID, p.Number, storage.NewComment{Text: in.Text, Key: in.Key}, r)
		},
	})
}

// tellEntry makes the answer of something that was said in a proposal: its place is the proposal.
func tellEntry(p catalog.Proposal) func(catalog.DiscussionEntry) (calls.Answer, error) {
	return func(e catalog.DiscussionEntry) (calls.Answer, error) {
		return say(http.StatusCreated, proposalPath(p), viewEntry(e))
	}
}

// approvalIn is the request to approve of a proposal.
type approvalIn struct {
	oneProposalIn
	headerIn
	Text       string `json:"text" maxLength:"20000"`
	SourceHead int64  `json:"source_head" description:"${proposal.source_head}"`
}

// createApproval records an approval. No one approves of what they proposed themselves; those who have no name are not
// told apart.
func (a *API) createApproval(c *fiber.Ctx, p storage.Proposed, in approvalIn) error {
	if isOwn(host.User(c), p) {
		return fault.Errorf(fault.Conflict, "own_proposal",
			"You opened proposal %d. Ask someone else to approve it.", p.Number)
	}
	return run(a, write[catalog.DiscussionEntry]{
		c: c, header: in.header(), about: "Approving", tell: tellEntry(p.Proposal),
		do: func(ctx context.Context, r storage.Request) (catalog.DiscussionEntry, error) {
			return a.store.Approve(ctx, p.DatasetID, p.Number,
				storage.NewApproval{Text: in.Text, SourceHead: in.SourceHead}, r)
		},
	})
}

// isOwn reports whether a user who has a name opened the proposal.
func isOwn(user string, p storage.Proposed) bool { return access.NameOf(user) != "" && user == p.User }

// withdrawIn is the request to withdraw an approval.
type withdrawIn struct {
	oneProposalIn
	headIn
}

// deleteApproval withdraws the caller's approval.
func (a *API) deleteApproval(c *fiber.Ctx, p storage.Proposed, in withdrawIn) error {
	return remove(a, c, in.header(), "Withdrawing the approval", func(ctx context.Context, r storage.Request) error {
		return a.store.WithdrawApproval(ctx, p.DatasetID, p.Number, r)
	})
}

// mergeProposalIn is the request to merge a proposal. A conflict undoes the whole merge.
type mergeProposalIn struct {
	oneProposalIn
	headerIn
	Message    string               `json:"message"`
	SourceHead int64                `json:"source_head" description:"${proposal.source_head}"`
	OnConflict storage.Take         `json:"on_conflict" enum:"ours,theirs" description:"${merge.on_conflict}"`
	Resolve    []storage.Resolution `json:"resolve" description:"${merge.resolve}"`
}

// mergeProposal merges a proposal. Of several requests one does it; the others are told that it is merged.
func (a *API) mergeProposal(c *fiber.Ctx, p storage.Proposed, in mergeProposalIn) error {
	return run(a, write[storage.Merged]{
		c: c, header: in.header(), about: fmt.Sprintf("Merging proposal %d", p.Number), tell: tellMerge,
		do: func(ctx context.Context, r storage.Request) (storage.Merged, error) {
			r.Message = in.Message
			m := storage.Merge{OnConflict: in.OnConflict, Resolve: in.Resolve, SourceHead: in.SourceHead}
			return a.store.MergeProposal(ctx, p.DatasetID, p.Number, m, r)
		},
	})
}

// checksView is whether a proposal would merge.
type checksView struct {
	Verdict    storage.Verdict `json:"verdict" enum:"mergeable,conflicts,refused,nothing,merged,closed,unavailable" description:"${proposal.verdict}"`
	Detail     string          `json:"detail" description:"The verdict in a sentence."`
	Code       *string         `json:"code" description:"Of a refusal: that which the merge would be refused with."`
	SourceHead int64           `json:"source_head" description:"The commit of the source that was checked; 0: there is none."`
	TargetHead int64           `json:"target_head"`
	CheckedAt  time.Time       `json:"checked_at"`
	Merge      *mergedView     `json:"merge" description:"What the merge would do; null where nothing was tried."`
}

// checkProposal finds out whether a proposal would merge.
func (a *API) checkProposal(c *fiber.Ctx, p storage.Proposed, _ oneProposalIn) error {
	checks, err := a.store.CheckProposal(c.UserContext(), p.DatasetID, p.Number)
	if err != nil {
		return err
	}
	v := checksView{
		Verdict: checks.Verdict, Detail: checks.Detail(), SourceHead: checks.SourceHead, TargetHead: checks.TargetHead,
		CheckedAt: checks.CheckedAt,
	}
	if checks.Refusal != nil {
		v.Code = &checks.Refusal.Code
	}
	if checks.Merged.Preview != nil {
		m := viewMerged(checks.Merged)
		v.Merge = &m
	}
	return ok(c, v)
}
