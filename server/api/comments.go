package api

import (
	"context"
	"net/http"
	"slices"

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

// What was said about proposals and comparisons is changed and deleted in the same way.

// commentRoutes returns the routes that change comments. Whoever wrote a comment changes and deletes it; maintainers
// delete those of others.
func (a *API) commentRoutes() []route {
	const proposal = proposals + "/{proposal}/comments/{comment}"
	const comparison = comparisonComments + "/{comment}"
	return []route{
		{
			method: "PATCH", path: proposal, id: "editComment", tag: "proposals", role: access.Reader,
			summary: "Change a comment of one's own on a proposal",
			in:      editCommentIn{}, status: 200, out: entryView{}, problems: writes, handler: onProposal(a, a.editComment),
		},
		{
			method: "DELETE", path: proposal, id: "deleteComment", tag: "proposals", role: access.Reader,
			summary: "Delete a comment on a proposal: one's own, or as a maintainer any",
			in:      deleteCommentIn{}, status: 204, problems: writes, handler: onProposal(a, a.deleteComment),
		},
		{
			method: "PATCH", path: comparison, id: "editComparisonComment", tag: "data", role: access.Reader,
			summary: "Change a comment of one's own on a comparison",
			in:      editRemarkIn{}, status: 200, out: entryView{}, problems: writes, handler: a.editComparisonComment,
		},
		{
			method: "DELETE", path: comparison, id: "deleteComparisonComment", tag: "data", role: access.Reader,
			summary: "Delete a comment on a comparison: one's own, or as a maintainer any",
			in:      deleteRemarkIn{}, status: 204, problems: writes, handler: a.deleteComparisonComment,
		},
	}
}

// commentID identifies a comment in a discussion.
type commentID struct {
	Comment string `path:"comment" required:"true" description:"Its id in the discussion." json:"-"`
}

// find returns the comment among what was said.
func (in commentID) find(all []catalog.DiscussionEntry) (catalog.DiscussionEntry, error) {
	id, ok := pathNumber(in.Comment)
	i := slices.IndexFunc(all, func(e catalog.DiscussionEntry) bool {
		return ok && e.ID == id && e.Kind == catalog.EntryComment && e.DeletedAt.IsZero()
	})
	if i < 0 {
		return catalog.DiscussionEntry{}, fault.Errorf(fault.NotFound, "comment_not_found",
			"There is no comment %s here. It may have been deleted.", fault.Clip(in.Comment))
	}
	return all[i], nil
}

// checkWrote refuses a caller who did not write a comment.
func checkWrote(c *fiber.Ctx, e catalog.DiscussionEntry) error {
	if e.User == host.User(c) {
		return nil
	}
	return fault.Errorf(fault.Forbidden, "forbidden",
		"Comment %d is someone else's. Only who wrote a comment changes it; write one of your own.", e.ID)
}

// checkMayDelete refuses a caller who neither wrote a comment nor maintains the project that it is in.
func checkMayDelete(c *fiber.Ctx, e catalog.DiscussionEntry, project int64) error {
	if checkWrote(c, e) == nil {
		return nil
	}
	return permit.Check(host.Caller(c), project, access.Maintainer)
}

// tellChanged makes the answer of a comment that was changed.
func tellChanged(e catalog.DiscussionEntry) (calls.Answer, error) {
	return say(http.StatusOK, "", viewEntry(e))
}

// said is a discussion whose comments are changed and deleted.
type said struct {
	entries []catalog.DiscussionEntry
	project int64 // whose maintainers delete comments of others

	// correct changes the text of a comment; nil: deletes it
	correct func(context.Context, int64, *string, storage.Request) (catalog.DiscussionEntry, error)
}

// edit changes a comment of the caller's own.
func (a *API) edit(c *fiber.Ctx, in said, id commentID, header headerIn, text string) error {
	e, err := id.find(in.entries)
	if err == nil {
		err = checkWrote(c, e)
	}
	if err != nil {
		return err
	}
	return run(a, write[catalog.DiscussionEntry]{
		c: c, header: header, about: "Changing the comment", tell: tellChanged,
		do: func(ctx context.Context, r storage.Request) (catalog.DiscussionEntry, error) {
			return in.correct(ctx, e.ID, &text, r)
		},
	})
}

// withdraw deletes a comment: the caller's own, or as a maintainer any.
func (a *API) withdraw(c *fiber.Ctx, in said, id commentID, header headerIn) error {
	e, err := id.find(in.entries)
	if err == nil {
		err = checkMayDelete(c, e, in.project)
	}
	if err != nil {
		return err
	}
	return remove(a, c, header, "Deleting the comment", func(ctx context.Context, r storage.Request) error {
		_, err := in.correct(ctx, e.ID, nil, r)
		return err
	})
}

// onTheProposal is the discussion of a proposal, for those who take part in it.
func (a *API) onTheProposal(c *fiber.Ctx, p storage.Proposed) (said, error) {
	return said{
		entries: p.Discussion, project: p.Target.ProjectID,
		correct: func(ctx context.Context, id int64, text *string, r storage.Request) (catalog.DiscussionEntry, error) {
			return a.store.CorrectComment(ctx, p.DatasetID, p.Number, id, text, r)
		},
	}, takesPart(host.Caller(c), *p.Target, p.Source)
}

// onTheComparison is the discussion of a comparison, for those who take part in it.
func (a *API) onTheComparison(c *fiber.Ctx, in compareIn, id commentID) (said, error) {
	of, err := a.discussable(c.UserContext(), in)
	if err != nil {
		return said{}, err
	}
	if err := takesPart(host.Caller(c), of.from, of.other()); err != nil {
		return said{}, err
	}
	audit.Of(c.UserContext()).About("comment %s", fault.Clip(id.Comment))
	d, err := a.store.Discussion(c.UserContext(), of.Compared)
	return said{
		entries: d.Entries, project: of.from.ProjectID,
		correct: func(ctx context.Context, id int64, text *string, r storage.Request) (catalog.DiscussionEntry, error) {
			return a.store.CorrectRemark(ctx, of.Compared, id, text, r)
		},
	}, err
}

// editCommentIn is the request to change a comment on a proposal.
type editCommentIn struct {
	oneProposalIn
	commentID
	headIn
	Text string `json:"text" required:"true" minLength:"1" maxLength:"20000"`
}

// editComment changes a comment on a proposal.
func (a *API) editComment(c *fiber.Ctx, p storage.Proposed, in editCommentIn) error {
	of, err := a.onTheProposal(c, p)
	if err != nil {
		return err
	}
	return a.edit(c, of, in.commentID, in.header(), in.Text)
}

// deleteCommentIn is the request to delete a comment on a proposal.
type deleteCommentIn struct {
	oneProposalIn
	commentID
	headIn
}

// deleteComment deletes a comment on a proposal.
func (a *API) deleteComment(c *fiber.Ctx, p storage.Proposed, in deleteCommentIn) error {
	of, err := a.onTheProposal(c, p)
	if err != nil {
		return err
	}
	return a.withdraw(c, of, in.commentID, in.header())
}

// editRemarkIn is the request to change a comment on a comparison.
type editRemarkIn struct {
	compareIn
	commentID
	headIn
	Text string `json:"text" required:"true" minLength:"1" maxLength:"20000"`
}

// editComparisonComment changes a comment on a comparison.
func (a *API) editComparisonComment(c *fiber.Ctx) error {
	var in editRemarkIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	of, err := a.onTheComparison(c, in.compareIn, in.commentID)
	if err != nil {
		return err
	}
	return a.edit(c, of, in.commentID, in.header(), in.Text)
}

// deleteRemarkIn is the request to delete a comment on a comparison.
type deleteRemarkIn struct {
	compareIn
	commentID
	headIn
}

// deleteComparisonComment deletes a comment on a comparison.
func (a *API) deleteComparisonComment(c *fiber.Ctx) error {
	var in deleteRemarkIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	of, err := a.onTheComparison(c, in.compareIn, in.commentID)
	if err != nil {
		return err
	}
	return a.withdraw(c, of, in.commentID, in.header())
}
