package main

import (
	"fmt"
	"net/url"
)

// rollbackCmd undoes a commit, or shows what blocks that.
type rollbackCmd struct {
	datasetFlags
	Commit  int64  `arg:"" help:"Id of the commit to undo."`
	Policy  string `help:"${rollback_policy}" enum:"stack,records" default:"stack"`
	Check   bool   `help:"Only show what blocks the rollback."`
	Cascade bool   `help:"Undo what blocks it too, all as one commit."`
	DryRun  bool   `help:"Only show what would be done."`
	Message string `help:"What the rollback is for."`
}

// Run rolls back, or checks.
func (cmd *rollbackCmd) Run(c console) error {
	query := cmd.query()
	if !cmd.Check {
		return cmd.undo(c, query)
	}
	query.Set("policy", cmd.Policy)
	var answer struct {
		IsBlocked bool           `json:"is_blocked"`
		Detail    string         `json:"detail"`
		Blocking  []commitAnswer `json:"blocking_commits"`
	}
	if err := cmd.get(cmd.path("commits", cmd.Commit, "rollback"), query, &answer); err != nil {
		return err
	}
	fmt.Fprintln(c.out, answer.Detail)
	for _, b := range answer.Blocking {
		fmt.Fprintf(c.out, "  %s; records in common: %d\n", b, b.Overlapping)
	}
	if answer.IsBlocked {
		return fmt.Errorf("commit %d is blocked", cmd.Commit)
	}
	return nil
}

// undo rolls back, or shows what that would do.
func (cmd *rollbackCmd) undo(c console, query url.Values) error {
	if cmd.DryRun {
		query.Set("dry_run", "true")
	}
	var commit commitAnswer
	if err := cmd.post(cmd.path("commits", cmd.Commit, "rollback"), query,
		map[string]any{"policy": cmd.Policy, "message": cmd.Message, "cascade": cmd.Cascade}, &commit); err != nil {
		return err
	}
	commit.show(c.out)
	return nil
}
