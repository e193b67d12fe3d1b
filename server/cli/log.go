package cli

import (
	"fmt"

	"github.com/rowback/rowback/server/terminal"
)

// logCmd lists the commits of a dataset, newest first.
type logCmd struct {
	datasetFlags
	formatFlag
	digestsFlag
	Limit   int  `help:"How many commits to list." default:"20"`
	Lineage bool `help:"Also list what the commits were made from."`
	Graph   bool `help:"Draw the commits of the dataset and its forks, with a lane for each."`
}

// Run lists commits.
func (cmd *logCmd) Run(c console) error {
	if cmd.Graph && !c.json {
		return cmd.drawGraph(c)
	}
	query := cmd.query()
	query.Set("limit", fmt.Sprint(cmd.Limit))
	var list struct {
		Commits []commitAnswer `json:"commits"`
	}
	if err := cmd.get(cmd.path("commits"), query, &list); err != nil {
		return err
	}
	names := "COMMIT\tMODE\tCHANGES\tRECORDS\tWHEN\tUSER\tMESSAGE"
	if cmd.Lineage {
		names += "\tMADE FROM"
	}
	header := cmd.header(names)
	return cmd.print(c, list.Commits, header, func(row func(...any)) {
		for _, k := range list.Commits {
			id := terminal.Colored{Style: terminal.Yellow, Value: k.ID}
			mode, undone := k.modeFor(c)
			cells := []any{id, mode, k.changes(), terminal.Count(k.Total), terminal.Moment(k.CreatedAt), k.User, k.Message}
			if cmd.Lineage {
				cells = append(cells, shortLineage(k.Metadata))
			}
			row(append(cmd.cells(k.Digest, cells...), undone)...)
		}
	})
}

// modeFor returns the commit's mode as tables show it: people read below the row whether it was undone, because the
// cell would be cut.
func (a commitAnswer) modeFor(c console) (mode string, undone terminal.Note) {
	if c.screen.Human && a.RollbackCommitID != nil && a.ParentCommitID == nil {
		return a.Mode, terminal.Note(fmt.Sprintf("undone by commit %d", *a.RollbackCommitID))
	}
	return a.mode(), ""
}

// mode returns the commit's mode, and whether it was undone.
func (a commitAnswer) mode() string {
	switch {
	case a.ParentCommitID != nil:
		return fmt.Sprintf("%s of %d", a.Mode, *a.ParentCommitID)
	case a.RollbackCommitID != nil:
		return fmt.Sprintf("%s (undone by %d)", a.Mode, *a.RollbackCommitID)
	}
	return a.Mode
}
