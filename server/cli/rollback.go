package cli

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
	Message string `short:"m" help:"What the rollback is for."`
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
	err := c.answer(answer, func() {
		c.println((&problem{Detail: answer.Detail}).hinted())
		for _, b := range answer.Blocking {
			c.printf("  %s; records in common: %s\n", b, comma(b.Overlapping))
		}
	})
	if err == nil && answer.IsBlocked {
		err = fmt.Errorf("commit %d is blocked", cmd.Commit)
	}
	return err
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
	return c.answer(commit, func() { commit.show(c) })
}
