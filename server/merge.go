package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// mergeCmd merges a fork, or the upstream, into a dataset.
type mergeCmd struct {
	datasetFlags
	From           string   `help:"${merge_from}" required:"" placeholder:"FORK"`
	DryRun         bool     `help:"Only report what would happen."`
	FilterKey      []string `help:"Only actions with this key, such as Dataset.append. May be repeated."`
	FilterHash     []string `help:"Only the action with this hash. May be repeated."`
	OnConflict     string   `help:"${merge_on_conflict}" enum:",ours,theirs" default:"" placeholder:"ours|theirs"`
	Resolve        []string `help:"${merge_resolve}" placeholder:"JSON" sep:"none"`
	Remember       bool     `help:"Leave what the filter skips out of later merges too."`
	NoAutorollback bool     `help:"On a conflict, keep what was played before it."`
	Message        string   `help:"What the merge is for."`
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
func (cmd *mergeCmd) Run(c console) error {
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
	var p *problem
	if errors.As(err, &p) {
		done.Played, done.Conflicts = p.Played, p.Conflicts
	}
	cmd.show(c.out, done)
	if len(done.Conflicts) > 0 {
		if err := cmd.showConflicts(c.out, done.Conflicts); err != nil {
			return err
		}
		return cmp.Or(err, fmt.Errorf("merging %s into %s has conflicts", cmd.From, cmd.Dataset))
	}
	if err == nil && done.Commit == nil && !cmd.DryRun {
		fmt.Fprintf(c.out, "Nothing to merge from %s.\n", cmd.From)
	}
	return err
}

// body returns the request for the merge.
func (cmd *mergeCmd) body() (map[string]any, error) {
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
			return nil, fmt.Errorf("--resolve %s is not JSON", text)
		}
	}
	if len(cmd.Resolve) > 0 {
		body["resolve"] = json.RawMessage("[" + strings.Join(cmd.Resolve, ",") + "]")
	}
	return body, nil
}

// show prints what was played and what was not.
func (cmd *mergeCmd) show(out io.Writer, done mergeAnswer) {
	played := "played"
	if cmd.DryRun {
		played = "would play"
	}
	for _, a := range done.Played {
		fmt.Fprintln(out, played, a)
	}
	for _, a := range done.Skipped {
		fmt.Fprintln(out, "skipped", a)
	}
	if done.Decided > 0 {
		fmt.Fprintf(out, "conflicts of records decided as asked: %d\n", done.Decided)
	}
	if done.Commit != nil {
		fmt.Fprintln(out, done.Commit)
	}
}
