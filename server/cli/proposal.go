package cli

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/rowback/rowback/server/terminal"
)

// proposalCmd manages proposals to merge into a dataset.
type proposalCmd struct {
	List    proposalListCmd    `cmd:"" default:"withargs" help:"List the proposals to a dataset, or from it (the default)."`
	Create  proposalCreateCmd  `cmd:"" help:"Propose that a fork be merged into a dataset."`
	Show    proposalShowCmd    `cmd:"" help:"Show a proposal with its discussion."`
	Comment proposalCommentCmd `cmd:"" help:"Add a comment."`
	Approve proposalApproveCmd `cmd:"" help:"Approve a proposal of somebody else, or withdraw that."`
	Edit    proposalEditCmd    `cmd:"" help:"Change a proposal's title or description; close it or open it again."`
	Merge   proposalMergeCmd   `cmd:"" help:"Merge a proposal, once."`
}

// proposalAnswer is a proposal as the command line shows it.
type proposalAnswer struct {
	Number      int64         `json:"number"`
	Title       string        `json:"title"`
	Description string        `json:"description"`
	State       string        `json:"state"`
	User        string        `json:"user"`
	CreatedAt   string        `json:"created_at"`
	UpdatedAt   string        `json:"updated_at"`
	Source      *proposedFrom `json:"source"`
	Comments    int64         `json:"comments"`
	Approvals   []struct {
		User      string `json:"user"`
		IsCurrent bool   `json:"is_current"`
	} `json:"approvals"`
	MergeCommit *commitAnswer `json:"merge_commit"`
	Discussion  []struct {
		Kind string `json:"kind"`
		commentEntry
	} `json:"discussion,omitempty"`
}

// proposedFrom is the dataset whose merge is proposed.
type proposedFrom struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Head int64  `json:"head"`
}

// from names the source, if it is still there.
func (p proposalAnswer) from() string {
	if p.Source == nil {
		return ""
	}
	return p.Source.Name
}

// proposalPage is a page of proposals.
type proposalPage struct {
	Proposals  []proposalAnswer `json:"proposals"`
	NextCursor *string          `json:"next_cursor"`
}

// proposalListCmd lists proposals.
type proposalListCmd struct {
	datasetFlags
	formatFlag
	State    string `help:"Only those that are open, closed or merged." enum:",open,closed,merged" default:""`
	Outgoing bool   `help:"List those that the dataset is to be merged by, instead of those to merge into it."`
}

// Run lists proposals, of all pages.
func (cmd *proposalListCmd) Run(c console) error {
	query := cmd.query()
	if cmd.State != "" {
		query.Set("state", cmd.State)
	}
	if cmd.Outgoing {
		query.Set("direction", "outgoing")
	}
	all, err := allPages(cmd.remote, cmd.path("proposals"), query, func(page proposalPage) ([]proposalAnswer, *string) {
		return page.Proposals, page.NextCursor
	})
	if err != nil {
		return err
	}
	header := "PROPOSAL\tSTATE\tFROM\tAPPROVED\tCOMMENTS\tCHANGED\tUSER\tTITLE"
	return cmd.print(c, all, header, func(row func(...any)) {
		for _, p := range all {
			row(p.Number, p.State, p.from(), len(p.Approvals), p.Comments, terminal.Moment(p.UpdatedAt), p.User, p.Title)
		}
	})
}

// proposalCreateCmd opens a proposal.
type proposalCreateCmd struct {
	datasetFlags
	Title       string `arg:"" help:"What the merge is for, in a line."`
	From        string `help:"${merge_from}" required:"" placeholder:"FORK"`
	Description string `short:"m" aliases:"message" placeholder:"TEXT" help:"More about it."`
}

// Run opens a proposal.
func (cmd *proposalCreateCmd) Run(c console) error {
	body := map[string]string{"source": cmd.From, "title": cmd.Title, "description": cmd.Description}
	var made proposalAnswer
	if err := cmd.post(cmd.path("proposals"), cmd.query(), body, &made); err != nil {
		return err
	}
	return c.answer(made, func() { c.printf("proposal %d: %s\n", made.Number, made.Title) })
}

// oneProposal names a proposal.
type oneProposal struct {
	datasetFlags
	Number int64 `arg:"" help:"The proposal's number."`
}

// proposalPath returns the URL path of the proposal, or of what belongs to it.
func (o oneProposal) proposalPath(more ...any) string {
	return o.path(append([]any{"proposals", o.Number}, more...)...)
}

// proposalShowCmd shows a proposal.
type proposalShowCmd struct{ oneProposal }

// Run shows a proposal with what was said about it, and whether it can be merged.
func (cmd *proposalShowCmd) Run(c console) error {
	var p struct {
		proposalAnswer
		Checks struct {
			Verdict string `json:"verdict"`
			Detail  string `json:"detail"`
		} `json:"checks"`
	}
	if err := cmd.get(cmd.proposalPath(), cmd.query(), &p.proposalAnswer); err != nil {
		return err
	}
	if err := cmd.get(cmd.proposalPath("checks"), cmd.query(), &p.Checks); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(p)
	}
	return c.paged(func(c console) error {
		c.printf("%s  %s\n", c.styled(terminal.Bold, fmt.Sprintf("proposal %d: %s", p.Number, p.Title)), p.State)
		c.printf("from %s, by %s, %s\n", p.from(), p.User, terminal.Moment(p.CreatedAt))
		if p.Description != "" {
			c.println()
			c.paragraph(p.Description)
		}
		for _, e := range p.Discussion {
			what := e.Kind
			if e.Kind == "comment" {
				what = fmt.Sprint("comment ", e.ID)
			}
			c.printf("\n%s by %s, %s\n", what, e.User, terminal.Moment(e.CreatedAt))
			if said := e.said(); said != "" {
				c.paragraph(said)
			}
		}
		c.printf("\n%s: %s\n", p.Checks.Verdict, p.Checks.Detail)
		return nil
	})
}

// proposalCommentCmd comments on a proposal.
type proposalCommentCmd struct {
	oneProposal
	Text string `arg:"" help:"The comment."`
}

// Run adds a comment.
func (cmd *proposalCommentCmd) Run(c console) error {
	var entry map[string]any
	body := map[string]string{"text": cmd.Text}
	if err := cmd.post(cmd.proposalPath("comments"), cmd.query(), body, &entry); err != nil {
		return err
	}
	return c.answer(entry, func() { c.printf("commented on proposal %d\n", cmd.Number) })
}

// proposalApproveCmd approves a proposal.
type proposalApproveCmd struct {
	oneProposal
	Text     string `help:"What to say about it."`
	Withdraw bool   `help:"Withdraw your approval instead."`
}

// Run approves, or withdraws the approval.
func (cmd *proposalApproveCmd) Run(c console) error {
	if cmd.Withdraw {
		if err := cmd.call(http.MethodDelete, cmd.proposalPath("approvals"), cmd.query(), nil, nil); err != nil {
			return err
		}
		return c.removed("approval of proposal", cmd.Number)
	}
	var entry map[string]any
	body := map[string]string{"text": cmd.Text}
	if err := cmd.post(cmd.proposalPath("approvals"), cmd.query(), body, &entry); err != nil {
		return err
	}
	return c.answer(entry, func() { c.printf("proposal %d is approved\n", cmd.Number) })
}

// proposalEditCmd changes a proposal.
type proposalEditCmd struct {
	oneProposal
	Title       *string `help:"Its new title."`
	Description *string `short:"m" aliases:"message" placeholder:"TEXT" help:"More about it."`
	State       *string `help:"closed, or open again." placeholder:"STATE"`
}

// Run changes a proposal.
func (cmd *proposalEditCmd) Run(c console) error {
	body := map[string]any{}
	for name, value := range map[string]*string{
		"title": cmd.Title, "description": cmd.Description, "state": cmd.State,
	} {
		if value != nil {
			body[name] = *value
		}
	}
	if len(body) == 0 {
		return exitError{exitUsage, errors.New("what is to change? See rowback proposal edit --help")}
	}
	var p proposalAnswer
	if err := cmd.call(http.MethodPatch, cmd.proposalPath(), cmd.query(), body, &p); err != nil {
		return err
	}
	return c.answer(p, func() { c.printf("proposal %d is %s: %s\n", p.Number, p.State, p.Title) })
}

// proposalMergeCmd merges a proposal.
type proposalMergeCmd struct {
	oneProposal
	OnConflict string `help:"${merge_on_conflict}" enum:",ours,theirs" default:"" placeholder:"ours|theirs"`
	Message    string `short:"m" help:"What the merge is for."`
}

// Run merges a proposal.
func (cmd *proposalMergeCmd) Run(c console) error {
	body := map[string]any{"message": cmd.Message}
	if cmd.OnConflict != "" {
		body["on_conflict"] = cmd.OnConflict
	}
	var done mergeAnswer
	err := cmd.work(c, cmd.proposalPath("merge"), cmd.query(), body, &done)
	merge := mergeCreateCmd{datasetFlags: cmd.datasetFlags, From: fmt.Sprint("proposal ", cmd.Number)}
	return merge.report(c, done, err)
}
