package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rowback/rowback/server/terminal"
)

// actionsCmd lists the actions of a dataset, or what a fork and its upstream have of each other.
type actionsCmd struct {
	datasetFlags
	formatFlag
	Sort          string   `help:"${actions_sort}" enum:"datetime,-datetime,user,-user" default:"-datetime"`
	User          string   `help:"Only actions of this user."`
	Key           []string `help:"Only actions with these keys, such as Dataset.append."`
	Limit         int      `help:"How many actions to list." default:"20"`
	SinceForking  bool     `help:"What this fork has and its upstream lacks, oldest first." xor:"delta"`
	UpstreamDelta bool     `help:"What the upstream has and this fork lacks, oldest first." xor:"delta"`
}

// actionAnswer is an action as the command line shows it.
type actionAnswer struct {
	CommitID int64  `json:"commit_id"`
	Datetime string `json:"datetime"`
	User     string `json:"user"`
	Key      string `json:"key"`
	Hash     string `json:"hash"`
	Status   string `json:"status"`
	Message  string `json:"message"`
	Params   struct {
		Definition struct {
			Name string `json:"name"`
		} `json:"definition"`
	} `json:"params"`
	MergeCommitID *int64 `json:"merge_commit_id"`
	Added         int64  `json:"records_added"`
	Removed       int64  `json:"records_removed"`
	Modified      int64  `json:"records_modified"`
}

// what returns the action's key, with its variable if there is one.
func (a actionAnswer) what() string {
	return strings.TrimSpace(a.Key + " " + a.Params.Definition.Name)
}

// String is the action on one line.
func (a actionAnswer) String() string {
	text := fmt.Sprintf("commit %d: %s %s, by %s", a.CommitID, a.what(), a.changes(), a.User)
	if a.Message != "" {
		text += ": " + a.Message
	}
	return text
}

// changes counts the records that it changed, as in the answer to a commit.
func (a actionAnswer) changes() string {
	return commitAnswer{Added: a.Added, Removed: a.Removed, Modified: a.Modified}.changes()
}

// Run lists actions.
func (cmd *actionsCmd) Run(c console) error {
	path, query := cmd.path("actions"), cmd.query()
	switch delta := cmd.delta(); {
	case delta == "":
		query.Set("sort", cmd.Sort)
		query.Set("user", cmd.User)
		query.Set("key", strings.Join(cmd.Key, ","))
		query.Set("limit", fmt.Sprint(cmd.Limit))
	case cmd.User != "" || len(cmd.Key) > 0:
		return exitError{exitUsage, errors.New("--user and --key can't be combined with --since-forking and --upstream-delta, " +
			"which show " +
			"everything to be merged")}
	default:
		path = cmd.path("actions", delta)
	}
	var list struct {
		Actions []actionAnswer `json:"actions"`
	}
	if err := cmd.get(path, query, &list); err != nil {
		return err
	}
	return cmd.print(c, list.Actions, "COMMIT\tACTION\tCHANGES\tWHEN\tUSER\tHASH\tMESSAGE", func(row func(...any)) {
		for _, a := range list.Actions {
			row(a.CommitID, a.what(), a.changes(), terminal.Moment(a.Datetime), a.User, a.Hash, a.Message)
		}
	})
}

// delta returns the requested comparison with the upstream; empty if there is none.
func (cmd *actionsCmd) delta() string {
	switch {
	case cmd.SinceForking:
		return "since_forking"
	case cmd.UpstreamDelta:
		return "upstream_delta"
	}
	return ""
}
