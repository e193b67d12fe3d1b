package main

import "fmt"

// forkCmd forks a dataset.
type forkCmd struct {
	datasetFlags
	Name        string  `arg:"" help:"Of the fork."`
	Ref         string  `help:"Where the fork starts: ${refs}." default:"head"`
	Description *string `help:"Of the fork, instead of the dataset's."`
}

// Run forks a dataset.
func (cmd *forkCmd) Run(c console) error {
	var made struct {
		ID         string `json:"id"`
		ForkCommit int64  `json:"fork_commit"`
		Total      int64  `json:"records_total"`
	}
	body := map[string]any{"name": cmd.Name, "ref": cmd.Ref, "description": cmd.Description}
	if err := cmd.work(c, cmd.path("forks"), cmd.query(), body, &made); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s is a fork of %s at commit %d, %d records; its id is %s\n", cmd.Name, cmd.Dataset,
		made.ForkCommit, made.Total, made.ID)
	return nil
}
