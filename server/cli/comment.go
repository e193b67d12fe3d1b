package cli

import (
	"fmt"
	"net/url"

	"github.com/rowback/rowback/server/terminal"
)

// commentCmd manages comments on comparisons.
type commentCmd struct {
	List   commentListCmd   `cmd:"" default:"withargs" help:"${comment_list}"`
	Create commentCreateCmd `cmd:"" help:"Comment on a comparison, or on a record that differs."`
	Edit   commentEditCmd   `cmd:"" help:"Change a comment of your own, on a comparison or a proposal."`
	Delete commentDeleteCmd `cmd:"" help:"Delete a comment of your own, or as a maintainer any."`
}

// comparedRefs are the sides of a comparison that is discussed.
type comparedRefs struct {
	ToDataset string `help:"The fork or upstream that TO belongs to, instead of the dataset." placeholder:"NAME"`
}

// of sets the sides in a query.
func (r comparedRefs) of(query url.Values, from, to string) url.Values {
	query.Set("from", from)
	query.Set("to", to)
	query.Set("to_dataset", r.ToDataset)
	return query
}

// commentEntry is a comment as the command line shows it.
type commentEntry struct {
	ID        int64          `json:"id"`
	User      string         `json:"user"`
	CreatedAt string         `json:"created_at"`
	Text      string         `json:"text"`
	Key       map[string]any `json:"key,omitempty"`
	EditedAt  *string        `json:"edited_at"`
	DeletedAt *string        `json:"deleted_at"`
}

// said returns the text of a comment, or that there is none any more.
func (e commentEntry) said() string {
	switch {
	case e.DeletedAt != nil:
		return "(deleted)"
	case e.EditedAt != nil:
		return e.Text + " (edited)"
	}
	return e.Text
}

// commentListCmd lists comments.
type commentListCmd struct {
	datasetFlags
	comparedRefs
	formatFlag
	From string `arg:"" optional:"" help:"The earlier ref: ${refs}. Without it, the comparisons that have comments."`
	To   string `arg:"" optional:"" help:"The later ref." default:"head"`
}

// Run lists comments, or the comparisons that have some.
func (cmd *commentListCmd) Run(c console) error {
	if cmd.From == "" {
		return cmd.listComparisons(c)
	}
	var found struct {
		FromCommit int64          `json:"from_commit"`
		ToCommit   int64          `json:"to_commit"`
		Comments   []commentEntry `json:"comments"`
	}
	if err := cmd.get(cmd.path("compare", "comments"), cmd.of(cmd.query(), cmd.From, cmd.To), &found); err != nil {
		return err
	}
	return cmd.print(c, found.Comments, "ID\tON\tWHEN\tUSER\tCOMMENT", func(row func(...any)) {
		for _, e := range found.Comments {
			row(e.ID, commentedKey(e.Key), terminal.Moment(e.CreatedAt), e.User, e.said())
		}
	})
}

// commentedKey is a record's key as the command line takes it.
func commentedKey(key map[string]any) (text string) {
	for i, name := range sorted(key) {
		if i > 0 {
			text += ";"
		}
		text += fmt.Sprintf("%s=%v", name, key[name])
	}
	return text
}

// listComparisons lists the comparisons that have comments.
func (cmd *commentListCmd) listComparisons(c console) error {
	var found struct {
		Discussions []struct {
			FromCommit int64         `json:"from_commit"`
			ToCommit   int64         `json:"to_commit"`
			ToDataset  *proposedFrom `json:"to_dataset"`
			Comments   int64         `json:"comments"`
			UpdatedAt  string        `json:"updated_at"`
		} `json:"discussions"`
	}
	if err := cmd.get(cmd.path("discussions"), cmd.query(), &found); err != nil {
		return err
	}
	return cmd.print(c, found.Discussions, "FROM\tTO\tOF\tCOMMENTS\tCHANGED", func(row func(...any)) {
		for _, d := range found.Discussions {
			of := cmd.Dataset
			if d.ToDataset != nil {
				of = d.ToDataset.Name
			}
			row(d.FromCommit, d.ToCommit, of, d.Comments, terminal.Moment(d.UpdatedAt))
		}
	})
}

// commentCreateCmd comments on a comparison.
type commentCreateCmd struct {
	datasetFlags
	comparedRefs
	Text string            `arg:"" help:"The comment."`
	From string            `arg:"" help:"The earlier ref: ${refs}."`
	To   string            `arg:"" optional:"" help:"The later ref." default:"head"`
	Key  map[string]string `help:"Key of the record that it is about: COLUMN=VALUE, several with semicolons." placeholder:"KEY"`
}

// Run adds a comment.
func (cmd *commentCreateCmd) Run(c console) error {
	body := map[string]any{"text": cmd.Text}
	if len(cmd.Key) > 0 {
		body["key"] = cmd.Key
	}
	var entry commentEntry
	path := cmd.path("compare", "comments")
	if err := cmd.post(path, cmd.of(cmd.query(), cmd.From, cmd.To), body, &entry); err != nil {
		return err
	}
	return c.answer(entry, func() { c.printf("commented on %s..%s\n", cmd.From, cmd.To) })
}
