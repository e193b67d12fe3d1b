package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// tagCmd names a state with a tag, moves, removes or lists tags.
type tagCmd struct {
	datasetFlags
	formatFlag
	Name        string  `arg:"" optional:"" help:"The tag. Without it, the tags are listed."`
	Ref         string  `help:"What it names: ${refs}." default:"head"`
	Description *string `help:"What it is for."`
	Move        bool    `help:"Have a tag that is there name another state."`
	Remove      bool    `help:"Remove the tag. What it named stays."`
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
func (cmd *tagCmd) Run(c console) error {
	switch {
	case cmd.Name == "" && (cmd.Move || cmd.Remove):
		return errors.New("which tag? Name it")
	case cmd.Name == "":
		return cmd.list(c)
	case cmd.Remove:
		req, err := http.NewRequest(http.MethodDelete, cmd.url(cmd.path("tags", cmd.Name), cmd.query()), nil)
		if err != nil {
			return err
		}
		res, err := cmd.send(req)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.out, "tag %s is removed\n", cmd.Name)
		return res.Body.Close()
	}
	t, err := cmd.put()
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "tag %s: commit %d\n", t.Name, t.CommitID)
	return nil
}

// put makes or moves the tag.
func (cmd *tagCmd) put() (t tagAnswer, err error) {
	body := map[string]any{"ref": cmd.Ref}
	if cmd.Description != nil {
		body["description"] = *cmd.Description
	}
	if !cmd.Move {
		body["name"] = cmd.Name
		return t, cmd.post(cmd.path("tags"), cmd.query(), body, &t)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return t, err
	}
	req, err := http.NewRequest(http.MethodPatch, cmd.url(cmd.path("tags", cmd.Name), cmd.query()), bytes.NewReader(text))
	if err != nil {
		return t, err
	}
	req.Header.Set("Content-Type", "application/json")
	return t, cmd.json(req, &t)
}

// list shows the tags.
func (cmd *tagCmd) list(c console) error {
	var list struct {
		Tags []tagAnswer `json:"tags"`
	}
	if err := cmd.get(cmd.path("tags"), cmd.query(), &list); err != nil {
		return err
	}
	return cmd.print(c.out, list.Tags, "TAG\tCOMMIT\tWHEN\tUSER\tDESCRIPTION", func(row func(...any)) {
		for _, t := range list.Tags {
			row(t.Name, t.CommitID, t.UpdatedAt, t.User, t.Description)
		}
	})
}
