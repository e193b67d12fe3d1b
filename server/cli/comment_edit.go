package cli

import (
	"errors"
	"net/http"
	"net/url"
)

// commentedOn is what a comment is on: a comparison or a proposal.
type commentedOn struct {
	datasetFlags
	comparedRefs
	Proposal int64 `help:"The number of the proposal that it is on, in place of FROM and TO." placeholder:"N"`
}

// comment returns the path and query of one comment.
func (on commentedOn) comment(id int64, from, to string) (path string, query url.Values, err error) {
	switch {
	case (on.Proposal == 0) == (from == ""):
		err := errors.New("what is the comment on? Name the refs that were compared, or --proposal N")
		return "", nil, exitError{exitUsage, err}
	case on.Proposal != 0:
		return on.path("proposals", on.Proposal, "comments", id), on.query(), nil
	}
	return on.path("compare", "comments", id), on.of(on.query(), from, to), nil
}

// commentEditCmd changes a comment.
type commentEditCmd struct {
	commentedOn
	ID   int64  `arg:"" help:"The comment's number, as it is listed."`
	Text string `arg:"" help:"What it is to say."`
	From string `arg:"" optional:"" help:"The earlier ref: ${refs}."`
	To   string `arg:"" optional:"" help:"The later ref." default:"head"`
}

// Run changes a comment.
func (cmd *commentEditCmd) Run(c console) error {
	path, query, err := cmd.comment(cmd.ID, cmd.From, cmd.To)
	if err != nil {
		return err
	}
	var entry commentEntry
	if err := cmd.call(http.MethodPatch, path, query, map[string]string{"text": cmd.Text}, &entry); err != nil {
		return err
	}
	return c.answer(entry, func() { c.printf("comment %d is changed\n", cmd.ID) })
}

// commentDeleteCmd deletes a comment.
type commentDeleteCmd struct {
	commentedOn
	ID   int64  `arg:"" help:"The comment's number, as it is listed."`
	From string `arg:"" optional:"" help:"The earlier ref: ${refs}."`
	To   string `arg:"" optional:"" help:"The later ref." default:"head"`
}

// Run deletes a comment.
func (cmd *commentDeleteCmd) Run(c console) error {
	path, query, err := cmd.comment(cmd.ID, cmd.From, cmd.To)
	if err != nil {
		return err
	}
	if err := cmd.call(http.MethodDelete, path, query, nil, nil); err != nil {
		return err
	}
	return c.removed("comment", cmd.ID)
}
