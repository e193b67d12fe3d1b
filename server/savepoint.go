package main

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// savepointCmd creates a savepoint, or lists them.
type savepointCmd struct {
	datasetFlags
	formatFlag
	Description string `help:"What the savepoint is for."`
	List        bool   `help:"List the savepoints, newest first, instead of creating one."`
}

// savepointAnswer is a savepoint as the command line shows it.
type savepointAnswer struct {
	ID          string `json:"id"`
	Version     string `json:"version"`
	CommitID    int64  `json:"commit_id"`
	Description string `json:"description"`
	User        string `json:"user"`
	CreatedAt   string `json:"created_at"`
	UpdatedAt   string `json:"updated_at"`
}

// Run creates a savepoint, or lists them.
func (cmd *savepointCmd) Run(c console) error {
	if cmd.List {
		return cmd.list(c)
	}
	req, err := cmd.newPost(cmd.path("savepoints"), cmd.query(), map[string]string{"description": cmd.Description})
	if err != nil {
		return err
	}
	res, err := cmd.send(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var p savepointAnswer
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil {
		return err
	}
	if res.Request.Method == http.MethodGet { // redirected to the last savepoint
		fmt.Fprintf(c.out, "Nothing has changed since savepoint %s, commit %d: %s\n", p.Version, p.CommitID, p.Description)
		return nil
	}
	fmt.Fprintf(c.out, "savepoint %s: commit %d\n", p.Version, p.CommitID)
	return nil
}

// list shows the savepoints.
func (cmd *savepointCmd) list(c console) error {
	var list struct {
		Savepoints []savepointAnswer `json:"savepoints"`
	}
	if err := cmd.get(cmd.path("savepoints"), cmd.query(), &list); err != nil {
		return err
	}
	return cmd.print(c.out, list.Savepoints, "SAVEPOINT\tCOMMIT\tWHEN\tUSER\tDESCRIPTION", func(row func(...any)) {
		for _, p := range list.Savepoints {
			row(p.Version, p.CommitID, p.CreatedAt, p.User, p.Description)
		}
	})
}
