package cli

import (
	"errors"
	"net/http"

	"github.com/rowback/rowback/server/terminal"
)

// tagCmd names states of a dataset with tags.
type tagCmd struct {
	Create tagCreateCmd `cmd:"" help:"Name a state with a new tag."`
	List   tagListCmd   `cmd:"" help:"List tags."`
	Move   tagMoveCmd   `cmd:"" help:"Have a tag name another state."`
	Delete tagDeleteCmd `cmd:"" help:"Delete a tag. What it named stays."`
	Set    tagSetCmd    `cmd:"" default:"withargs" hidden:"" help:"Name, move, remove or list, by flags."`
}

// tagFlags are what a tag names and says.
type tagFlags struct {
	Ref         string  `help:"What it names: ${refs}." default:"head"`
	Description *string `short:"m" aliases:"message" placeholder:"TEXT" help:"What it is for."`
}

// tagCreateCmd makes a tag.
type tagCreateCmd struct {
	datasetFlags
	Name string `arg:"" help:"The tag."`
	tagFlags
}

// tagMoveCmd moves a tag.
type tagMoveCmd struct {
	datasetFlags
	Name string `arg:"" help:"The tag."`
	tagFlags
}

// tagDeleteCmd deletes a tag.
type tagDeleteCmd struct {
	datasetFlags
	Name string `arg:"" help:"The tag."`
}

// tagListCmd lists tags.
type tagListCmd struct {
	datasetFlags
	formatFlag
}

// tagSetCmd is what tag was before it had verbs.
type tagSetCmd struct {
	datasetFlags
	formatFlag
	Name string `arg:"" optional:"" help:"The tag. Without it, the tags are listed."`
	tagFlags
	Move   bool `help:"Have a tag that is there name another state."`
	Remove bool `help:"Remove the tag. What it named stays."`
}

// tagAnswer is a tag as the command line shows it.
type tagAnswer struct {
	Name        string `json:"name"`
	CommitID    int64  `json:"commit_id"`
	Description string `json:"description"`
	User        string `json:"user"`
	UpdatedAt   string `json:"updated_at"`
}

// Run makes, moves or removes a tag, or lists them.
func (cmd *tagSetCmd) Run(c console) error {
	switch {
	case cmd.Name == "" && (cmd.Move || cmd.Remove):
		return exitError{exitUsage, errors.New("which tag? Name it")}
	case cmd.Name == "":
		return (&tagListCmd{cmd.datasetFlags, cmd.formatFlag}).Run(c)
	case cmd.Remove:
		return (&tagDeleteCmd{cmd.datasetFlags, cmd.Name}).Run(c)
	case cmd.Move:
		return (&tagMoveCmd{cmd.datasetFlags, cmd.Name, cmd.tagFlags}).Run(c)
	}
	return (&tagCreateCmd{cmd.datasetFlags, cmd.Name, cmd.tagFlags}).Run(c)
}

// body returns the request of a tag.
func (f tagFlags) body() map[string]any {
	body := map[string]any{"ref": f.Ref}
	if f.Description != nil {
		body["description"] = *f.Description
	}
	return body
}

// Run makes a tag.
func (cmd *tagCreateCmd) Run(c console) error {
	body := cmd.body()
	body["name"] = cmd.Name
	var t tagAnswer
	if err := cmd.post(cmd.path("tags"), cmd.query(), body, &t); err != nil {
		return err
	}
	return t.show(c)
}

// Run moves a tag.
func (cmd *tagMoveCmd) Run(c console) error {
	var t tagAnswer
	if err := cmd.call(http.MethodPatch, cmd.path("tags", cmd.Name), cmd.query(), cmd.body(), &t); err != nil {
		return err
	}
	return t.show(c)
}

// show says what a tag names now.
func (t tagAnswer) show(c console) error {
	return c.answer(t, func() { c.printf("tag %s: commit %d\n", t.Name, t.CommitID) })
}

// Run deletes a tag.
func (cmd *tagDeleteCmd) Run(c console) error {
	if err := cmd.call(http.MethodDelete, cmd.path("tags", cmd.Name), cmd.query(), nil, nil); err != nil {
		return err
	}
	return c.removed("tag", cmd.Name)
}

// Run lists the tags.
func (cmd *tagListCmd) Run(c console) error {
	var list struct {
		Tags []tagAnswer `json:"tags"`
	}
	if err := cmd.get(cmd.path("tags"), cmd.query(), &list); err != nil {
		return err
	}
	return cmd.print(c, list.Tags, "TAG\tCOMMIT\tWHEN\tUSER\tDESCRIPTION", func(row func(...any)) {
		for _, t := range list.Tags {
			row(t.Name, t.CommitID, terminal.Moment(t.UpdatedAt), t.User, t.Description)
		}
	})
}
