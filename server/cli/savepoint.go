package cli

import (
	"encoding/json"
	"net/http"

	"github.com/rowback/rowback/server/terminal"
)

// savepointCmd creates savepoints, and looks after them.
type savepointCmd struct {
	Create savepointCreateCmd `cmd:"" default:"withargs" help:"Bookmark the head (the default)."`
	List   savepointListCmd   `cmd:"" help:"List savepoints, newest first."`
	Edit   savepointEditCmd   `cmd:"" help:"Describe a savepoint."`
	Revert revertCmd          `cmd:"" help:"Revert the dataset to a savepoint."`
}

// savepointCreateCmd creates a savepoint.
type savepointCreateCmd struct {
	datasetFlags
	formatFlag
	Description string `short:"m" aliases:"message" placeholder:"TEXT" help:"What the savepoint is for."`
	List        bool   `help:"List the savepoints, newest first, instead of creating one." hidden:""`
}

// savepointListCmd lists savepoints.
type savepointListCmd struct {
	datasetFlags
	formatFlag
}

// savepointEditCmd describes a savepoint.
type savepointEditCmd struct {
	datasetFlags
	Savepoint   string `arg:"" help:"Name, such as master__000003, or id."`
	Description string `short:"m" aliases:"message" placeholder:"TEXT" help:"What the savepoint is for." required:""`
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
func (cmd *savepointCreateCmd) Run(c console) error {
	if cmd.List {
		return (&savepointListCmd{cmd.datasetFlags, cmd.formatFlag}).Run(c)
	}
	body := map[string]string{"description": cmd.Description}
	req, err := cmd.request(http.MethodPost, cmd.path("savepoints"), cmd.query(), body)
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
	return c.answer(p, func() {
		if res.Request.Method == http.MethodGet { // redirected to the last savepoint
			said := ""
			if p.Description != "" {
				said = ": " + p.Description
			}
			c.printf("Nothing has changed since savepoint %s, commit %d%s\n", p.Version, p.CommitID, said)
			return
		}
		c.printf("savepoint %s: commit %d\n", p.Version, p.CommitID)
	})
}

// Run describes a savepoint.
func (cmd *savepointEditCmd) Run(c console) error {
	var p savepointAnswer
	body := map[string]string{"description": cmd.Description}
	if err := cmd.call(http.MethodPatch, cmd.path("savepoints", cmd.Savepoint), cmd.query(), body, &p); err != nil {
		return err
	}
	return c.answer(p, func() { c.printf("savepoint %s: %s\n", p.Version, p.Description) })
}

// Run lists the savepoints.
func (cmd *savepointListCmd) Run(c console) error {
	var list struct {
		Savepoints []savepointAnswer `json:"savepoints"`
	}
	if err := cmd.get(cmd.path("savepoints"), cmd.query(), &list); err != nil {
		return err
	}
	return cmd.print(c, list.Savepoints, "SAVEPOINT\tCOMMIT\tWHEN\tUSER\tDESCRIPTION", func(row func(...any)) {
		for _, p := range list.Savepoints {
			row(terminal.ID(p.Version), p.CommitID, terminal.Moment(p.CreatedAt), p.User, p.Description)
		}
	})
}
