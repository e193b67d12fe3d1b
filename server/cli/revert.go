package cli

// revertCmd restores a dataset to a savepoint.
type revertCmd struct {
	datasetFlags
	Savepoint string `arg:"" help:"Name, such as master__000003, or id."`
	Message   string `short:"m" help:"What the revert is for."`
}

// Run reverts to a savepoint.
func (cmd *revertCmd) Run(c console) error {
	var commit commitAnswer
	if err := cmd.work(c, cmd.path("savepoints", cmd.Savepoint, "revert"), cmd.query(),
		map[string]string{"message": cmd.Message}, &commit); err != nil {
		return err
	}
	return c.answer(commit, func() { commit.show(c) })
}
