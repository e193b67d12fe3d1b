package cli

import "github.com/rowback/rowback/server/terminal"

// forkCmd makes forks, or lists them.
type forkCmd struct {
	Create forkCreateCmd `cmd:"" default:"withargs" help:"Create a dataset that shares another's history (the default)."`
	List   forkListCmd   `cmd:"" help:"List the forks of a dataset."`
}

// forkListCmd lists forks.
type forkListCmd struct {
	datasetFlags
	formatFlag
}

// Run lists forks.
func (cmd *forkListCmd) Run(c console) error {
	list, err := cmd.forks()
	if err != nil {
		return err
	}
	return cmd.print(c, list, "FORK\tAT COMMIT\tRECORDS\tHEAD\tCHANGED\tDESCRIPTION", func(row func(...any)) {
		for _, d := range list {
			row(d.Name, *d.ForkCommit, terminal.Count(d.Records), d.Head, terminal.Moment(d.ModifiedAt), d.Description)
		}
	})
}

// forks returns the forks of the dataset.
func (d datasetFlags) forks() ([]datasetAnswer, error) {
	var list struct {
		Forks []datasetAnswer `json:"forks"`
	}
	err := d.get(d.path("forks"), d.query(), &list)
	return list.Forks, err
}

// forkCreateCmd forks a dataset.
type forkCreateCmd struct {
	datasetFlags
	Name        string  `arg:"" help:"Of the fork."`
	Ref         string  `help:"Where the fork starts: ${refs}." default:"head"`
	Description *string `short:"m" aliases:"message" placeholder:"TEXT" help:"Of the fork, instead of the dataset's."`
}

// Run forks a dataset.
func (cmd *forkCreateCmd) Run(c console) error {
	var made struct {
		ID         string `json:"id"`
		ForkCommit int64  `json:"fork_commit"`
		Total      int64  `json:"records_total"`
	}
	body := map[string]any{"name": cmd.Name, "ref": cmd.Ref, "description": cmd.Description}
	if err := cmd.work(c, cmd.path("forks"), cmd.query(), body, &made); err != nil {
		return err
	}
	return c.answer(made, func() {
		c.printf("%s is a fork of %s at commit %d, %s; its id is %s\n", cmd.Name, cmd.Dataset, made.ForkCommit,
			countOf(made.Total, "record"), made.ID)
	})
}
