package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rowback/rowback/server/terminal"
	"github.com/rowback/rowback/storage/lineage"
)

// showCmd shows one commit.
type showCmd struct {
	datasetFlags
	Ref string `arg:"" help:"The commit, or a ref whose commit is shown: ${refs}." default:"head"`
}

// Run shows a commit.
func (cmd *showCmd) Run(c console) error {
	id, err := cmd.commitAt(cmd.Ref)
	if err != nil {
		return err
	}
	var k struct {
		commitAnswer
		Hash  string `json:"hash"`
		Merge *int64 `json:"merge_commit_id"`
	}
	if err := cmd.get(cmd.path("commits", id), cmd.query(), &k); err != nil {
		return err
	}
	return c.answer(k, func() {
		c.printf("%s  %s\n", c.styled(terminal.Yellow, fmt.Sprint("commit ", k.ID)), k.mode())
		c.printf("%-8s %s\n%-8s %s\n%-8s %s\n", "user", k.User, "time", terminal.Moment(k.CreatedAt), "hash", k.Hash)
		c.printf("%-8s %s, %s\n", "changes", colorChanges(c, k.commitAnswer), countOf(k.Total, "record"))
		if k.Merge != nil {
			c.printf("%-8s came with commit %d\n", "merge", *k.Merge)
		}
		if l := lineage.Of(k.Metadata); l != nil {
			for _, line := range linesOf(*l) {
				c.printf("%-8s %s: %s\n", "from", line[0], line[1])
			}
		}
		c.println()
		c.paragraph(k.Message)
		k.showColumns(c)
	})
}

// showColumns prints what the commit did to columns.
func (a commitAnswer) showColumns(c console) {
	if len(a.SchemaChanges)+len(a.ColumnsCleared)+len(a.Warnings) > 0 {
		c.println()
	}
	for _, s := range a.SchemaChanges {
		c.printf("column %s: %s\n", s.Column, s.Change)
	}
	if len(a.ColumnsCleared) > 0 {
		c.printf("records lost their values in %s\n", strings.Join(a.ColumnsCleared, ", "))
	}
	for _, w := range a.Warnings {
		c.printf("warning: %s\n", w)
	}
}

// commitAt returns the id of the commit at a ref.
func (d datasetFlags) commitAt(ref string) (int64, error) {
	if id, err := strconv.ParseInt(ref, 10, 64); err == nil {
		return id, nil
	}
	query := d.query()
	query.Set("ref", ref)
	var state schemaAnswer
	err := d.get(d.path("schema"), query, &state)
	return state.Commit, err
}

// colorChanges counts what a commit changed, in the colours of a diff.
func colorChanges(c console, a commitAnswer) styled {
	return styled(fmt.Sprintf("%s %s %s", c.styled(terminal.Green, "+"+comma(a.Added)),
		c.styled(terminal.Red, "-"+comma(a.Removed)), c.styled(terminal.Yellow, "~"+comma(a.Modified))))
}
