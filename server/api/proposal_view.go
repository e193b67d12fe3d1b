package api

import (
	"encoding/json"
	"time"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// proposalView is a proposal as clients see it.
type proposalView struct {
	Number      int64                 `json:"number" description:"Within the target."`
	Title       string                `json:"title"`
	Description string                `json:"description"`
	State       catalog.ProposalState `json:"state" enum:"open,closed,merged"`
	User        string                `json:"user"`
	CreatedAt   time.Time             `json:"created_at"`
	UpdatedAt   time.Time             `json:"updated_at"`
	Target      *proposedDataset      `json:"target"`
	Source      *proposedDataset      `json:"source" description:"null: removed for good, or not for you to see."`
	Comments    int                   `json:"comments" description:"How many there are."`
	Approvals   []approvalView        `json:"approvals" description:"The last one of each user, if not withdrawn."`
	MergeCommit *commitView           `json:"merge_commit" description:"${proposal.merge_commit}"`
}

// proposedDataset is a dataset that a proposal is about.
type proposedDataset struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	ProjectID int64      `json:"project_id"`
	Head      int64      `json:"head"`
	DeletedAt *time.Time `json:"deleted_at" description:"Such a source can't be merged until it is undeleted."`
}

// approvalView is an approval as clients see it.
type approvalView struct {
	User       string    `json:"user"`
	Text       string    `json:"text"`
	CreatedAt  time.Time `json:"created_at"`
	SourceHead int64     `json:"source_head"`
	TargetHead int64     `json:"target_head"`
	IsCurrent  bool      `json:"is_current" description:"The source has no commits since."`
}

// entryView is something that was said or done in a proposal.
type entryView struct {
	ID         int64                      `json:"id"`
	Kind       catalog.EntryKind          `json:"kind" enum:"comment,approval,withdrawal,closed,reopened"`
	User       string                     `json:"user"`
	CreatedAt  time.Time                  `json:"created_at"`
	Text       string                     `json:"text"`
	Key        map[string]json.RawMessage `json:"key,omitempty" nullable:"false" description:"Of a comment on a record: its key."`
	Erased     bool                       `json:"erased" description:"The key was that of a record that was erased."`
	SourceHead int64                      `json:"source_head,omitempty" description:"Of an approval."`
	TargetHead int64                      `json:"target_head,omitempty" description:"Of an approval."`
	EditedAt   *time.Time                 `json:"edited_at" description:"Of a comment that was changed."`
	DeletedAt  *time.Time                 `json:"deleted_at" description:"Of a comment that was deleted: it has no text and no key."`
}

// proposalDetail is a proposal with its discussion.
type proposalDetail struct {
	proposalView
	Discussion []entryView `json:"discussion" description:"The oldest entry first."`
	Allowed    []string    `json:"allowed" description:"${proposal.allowed}"`
}

// viewProposal returns a proposal as clients see it.
func viewProposal(p storage.Proposed) proposalView {
	v := proposalView{
		Number: p.Number, Title: p.Title, Description: p.Description, State: p.State, User: p.User, CreatedAt: p.CreatedAt,
		UpdatedAt: p.UpdatedAt, Target: viewProposed(p.Target), Source: viewProposed(p.Source), Comments: p.Comments,
		Approvals: []approvalView{},
	}
	for _, e := range p.Approvals() {
		v.Approvals = append(v.Approvals, approvalView{
			e.User, e.Text, e.CreatedAt, e.SourceHead, e.TargetHead, p.Source != nil && p.Source.Head == e.SourceHead,
		})
	}
	if p.Merge != nil {
		commit := viewCommit(*p.Merge)
		v.MergeCommit = &commit
	}
	return v
}

// viewProposed returns a dataset that a proposal is about; nil: there is none.
func viewProposed(d *catalog.Dataset) *proposedDataset {
	if d == nil {
		return nil
	}
	return &proposedDataset{d.ID, d.Name, d.ProjectID, d.Head, orNone(d.DeletedAt)}
}

// viewEntry returns an entry as clients see it.
func viewEntry(e catalog.DiscussionEntry) entryView {
	return entryView{
		e.ID, e.Kind, e.User, e.CreatedAt, e.Text, e.Key, e.IsErased, e.SourceHead, e.TargetHead, orNone(e.EditedAt),
		orNone(e.DeletedAt),
	}
}

// viewProposalDetail returns a proposal as a caller sees it.
func viewProposalDetail(c access.Caller, p storage.Proposed) proposalDetail {
	return proposalDetail{viewProposal(p), views(p.Discussion, viewEntry), allowed(c, p)}
}

// allowed lists what a caller may do about a proposal as it is.
func allowed(c access.Caller, p storage.Proposed) []string {
	out := []string{}
	if takesPart(c, *p.Target, p.Source) == nil {
		out = append(out, "comment")
		if p.State != catalog.ProposalMerged {
			out = append(out, "edit")
		}
	}
	if p.State != catalog.ProposalOpen || p.Source == nil { // a source that is gone, or hidden, can't be merged
		return out
	}
	if c.May(p.Target.ProjectID, access.Maintainer) && !isOwn(c.User, p) {
		out = append(out, "approve")
	}
	if c.May(p.Target.ProjectID, access.Writer) {
		out = append(out, "merge")
	}
	return out
}
