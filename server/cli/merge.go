package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/rowback/rowback/server/terminal"
)

// mergeCmd makes merges, or lists them.
type mergeCmd struct {
	Create mergeCreateCmd `cmd:"" default:"withargs" help:"Merge a fork, or the upstream, into a dataset (the default)."`
	List   mergeListCmd   `cmd:"" help:"List the merges into a dataset, newest first."`
	Show   mergeShowCmd   `cmd:"" help:"Show what a merge played."`
}

// mergeListCmd lists merges.
type mergeListCmd struct {
	datasetFlags
	formatFlag
	Limit int `help:"How many merges to list." default:"20"`
}

// Run lists merges.
func (cmd *mergeListCmd) Run(c console) error {
	query := cmd.query()
	query.Set("limit", fmt.Sprint(cmd.Limit))
	var list struct {
		Merges []commitAnswer `json:"merges"`
	}
	if err := cmd.get(cmd.path("merges"), query, &list); err != nil {
		return err
	}
	return cmd.print(c, list.Merges, "COMMIT\tCHANGES\tRECORDS\tWHEN\tUSER\tMESSAGE", func(row func(...any)) {
		for _, k := range list.Merges {
			row(k.ID, k.changes(), terminal.Count(k.Total), terminal.Moment(k.CreatedAt), k.User, k.Message)
		}
	})
}

// mergeShowCmd shows a merge.
type mergeShowCmd struct {
	datasetFlags
	Commit int64 `arg:"" help:"The commit of the merge."`
}

// Run shows a merge.
func (cmd *mergeShowCmd) Run(c console) error {
	var m struct {
		Commit commitAnswer   `json:"commit"`
		Played []actionAnswer `json:"played"`
	}
	if err := cmd.get(cmd.path("merges", cmd.Commit), cmd.query(), &m); err != nil {
		return err
	}
	return c.answer(m, func() {
		c.println(m.Commit)
		for _, a := range m.Played {
			c.println("played", a)
		}
	})
}

// mergeCreateCmd merges a fork, or the upstream, into a dataset.
type mergeCreateCmd struct {
	datasetFlags
	From           string   `help:"${merge_from}" required:"" placeholder:"FORK"`
	DryRun         bool     `help:"Only report what would happen."`
	FilterKey      []string `help:"Only actions with this key, such as Dataset.append. May be repeated."`
	FilterHash     []string `help:"Only the action with this hash. May be repeated."`
	OnConflict     string   `help:"${merge_on_conflict}" enum:",ours,theirs" default:"" placeholder:"ours|theirs"`
	Resolve        []string `help:"${merge_resolve}" placeholder:"JSON" sep:"none"`
	Remember       bool     `help:"Leave what the filter skips out of later merges too."`
	NoAutorollback bool     `help:"On a conflict, keep what was played before it."`
	Message        string   `short:"m" help:"What the merge is for."`
}

// mergeAnswer is what a merge did, or would do.
type mergeAnswer struct {
	Commit    *commitAnswer    `json:"commit"`
	Played    []actionAnswer   `json:"played"`
	Skipped   []actionAnswer   `json:"skipped"`
	Conflicts []conflictAnswer `json:"conflicts"`
	Decided   int64            `json:"conflicts_decided"`
}

// Run merges.
func (cmd *mergeCreateCmd) Run(c console) error {
	var done mergeAnswer
	body, err := cmd.body()
	if err != nil {
		return err
	}
	if cmd.DryRun { // it is answered at once
		err = cmd.post(cmd.path("merges"), cmd.query(), body, &done)
	} else {
		err = cmd.work(c, cmd.path("merges"), cmd.query(), body, &done)
	}
	return cmd.report(c, done, err)
}

// report prints what a merge did, or why it did not do it.
func (cmd *mergeCreateCmd) report(c console, done mergeAnswer, err error) error {
	var p *problem
	if errors.As(err, &p) {
		done.Played, done.Conflicts = p.Played, p.Conflicts
	}
	if c.json {
		return errors.Join(c.printJSON(done), err)
	}
	cmd.show(c, done)
	if len(done.Conflicts) > 0 {
		if err := cmd.showConflicts(c, done.Conflicts); err != nil {
			return err
		}
		conflicts := fmt.Errorf("merging %s into %s has conflicts", cmd.From, cmd.Dataset)
		return cmp.Or[error](err, exitError{exitConflict, conflicts})
	}
	if err == nil && done.Commit == nil && !cmd.DryRun {
		c.printf("Nothing to merge from %s.\n", cmd.From)
	}
	return err
}

// body returns the request for the merge.
func (cmd *mergeCreateCmd) body() (map[string]any, error) {
	body := map[string]any{
		"source": cmd.From, "dry_run": cmd.DryRun, "remember": cmd.Remember, "autorollback": !cmd.NoAutorollback,
		"message": cmd.Message,
	}
	if len(cmd.FilterKey)+len(cmd.FilterHash) > 0 {
		body["filter"] = map[string]any{"key": cmd.FilterKey, "hash": cmd.FilterHash}
	}
	if cmd.OnConflict != "" {
		body["on_conflict"] = cmd.OnConflict
	}
	for _, text := range cmd.Resolve {
		if !json.Valid([]byte(text)) {
			return nil, exitError{exitUsage, fmt.Errorf("--resolve %s is not JSON", text)}
		}
	}
	if len(cmd.Resolve) > 0 {
		body["resolve"] = json.RawMessage("[" + strings.Join(cmd.Resolve, ",") + "]")
	}
	return body, nil
}

// show prints what was played and what was not.
func (cmd *mergeCreateCmd) show(c console, done mergeAnswer) {
	played := "played"
	if cmd.DryRun {
		played = "would play"
	}
	for _, a := range done.Played {
		c.println(played, a)
	}
	for _, a := range done.Skipped {
		c.println("skipped", a)
	}
	if done.Decided > 0 {
		c.printf("conflicts of records decided as asked: %d\n", done.Decided)
	}
	if done.Commit != nil {
		c.println(done.Commit)
	}
}
