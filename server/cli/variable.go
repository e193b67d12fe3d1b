package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/rowback/rowback/server/terminal"
)

// variableCmd manages the columns of a dataset.
type variableCmd struct {
	List   variableListCmd   `cmd:"" default:"withargs" help:"List columns at a ref (the default)."`
	Show   variableShowCmd   `cmd:"" help:"Show one column."`
	Create variableCreateCmd `cmd:"" help:"Add a column, as a commit."`
	Edit   variableEditCmd   `cmd:"" help:"Rename, describe or retype a column, as a commit."`
	Delete variableDeleteCmd `cmd:"" help:"Drop a column, as a commit. A rollback brings it back."`
}

// variableAnswer is a column as the command line shows it.
type variableAnswer struct {
	ID          int               `json:"id"`
	Name        string            `json:"name"`
	Title       string            `json:"title"`
	Type        string            `json:"type"`
	Description string            `json:"description"`
	Derivation  *string           `json:"derivation"`
	Categories  []json.RawMessage `json:"categories"`
	Key         bool              `json:"key"`
}

// variableListCmd lists columns.
type variableListCmd struct {
	datasetFlags
	formatFlag
	Ref string `help:"Which state: ${refs}." default:"head"`
}

// Run lists columns.
func (cmd *variableListCmd) Run(c console) error {
	query := cmd.query()
	query.Set("ref", cmd.Ref)
	var list struct {
		Variables []variableAnswer `json:"variables"`
	}
	if err := cmd.get(cmd.path("variables"), query, &list); err != nil {
		return err
	}
	return cmd.print(c, list.Variables, "ID\tNAME\tTYPE\tKEY\tDERIVATION\tDESCRIPTION", func(row func(...any)) {
		for _, v := range list.Variables {
			row(v.ID, v.Name, v.Type, yes(v.Key), orNone(v.Derivation), v.Description)
		}
	})
}

// variableShowCmd shows a column.
type variableShowCmd struct {
	datasetFlags
	Variable string `arg:"" help:"Name or field id of the column."`
	Ref      string `help:"Which state: ${refs}." default:"head"`
}

// Run shows a column.
func (cmd *variableShowCmd) Run(c console) error {
	query := cmd.query()
	query.Set("ref", cmd.Ref)
	var v variableAnswer
	if err := cmd.get(cmd.path("variables", cmd.Variable), query, &v); err != nil {
		return err
	}
	return c.answer(v, func() {
		c.printf("%s\n", c.styled(terminal.Bold, v.Name))
		c.fact("id", fmt.Sprint(v.ID))
		c.fact("type", v.Type)
		c.fact("title", v.Title)
		c.fact("description", v.Description)
		c.fact("derivation", orNone(v.Derivation))
		for _, k := range v.Categories {
			c.fact("category", string(k))
		}
	})
}

// variableCommit is the answer to a change of a column.
type variableCommit struct {
	Commit *commitAnswer `json:"commit"`
}

// show prints the commit, if there is one.
func (a variableCommit) show(c console) error {
	return c.answer(a, func() {
		if a.Commit == nil {
			c.println("nothing changed")
			return
		}
		a.Commit.show(c)
	})
}

// variableCreateCmd adds a column.
type variableCreateCmd struct {
	datasetFlags
	Name        string `arg:"" help:"The column's name."`
	Type        string `help:"Its type, such as BIGINT, DOUBLE, VARCHAR or DATE." placeholder:"TYPE"`
	Title       string `help:"What to show in place of the name."`
	Description string `help:"What it holds."`
	Derivation  string `help:"A SQL expression over the other columns, which computes its values." placeholder:"SQL"`
	Message     string `short:"m" help:"What the change is for."`
}

// Run adds a column.
func (cmd *variableCreateCmd) Run(c console) error {
	body := map[string]any{"name": cmd.Name, "message": cmd.Message}
	for name, value := range map[string]string{
		"type": cmd.Type, "title": cmd.Title, "description": cmd.Description, "derivation": cmd.Derivation,
	} {
		if value != "" {
			body[name] = value
		}
	}
	var made variableCommit
	if err := cmd.post(cmd.path("variables"), cmd.query(), body, &made); err != nil {
		return err
	}
	return made.show(c)
}

// variableEditCmd changes a column.
type variableEditCmd struct {
	datasetFlags
	Variable    string  `arg:"" help:"Name or field id of the column."`
	Name        *string `help:"Its new name."`
	Type        *string `help:"Its new type, to which its values can be converted." placeholder:"TYPE"`
	Title       *string `help:"What to show in place of the name; empty: the name."`
	Description *string `help:"What it holds."`
	Derivation  *string `help:"The expression that computes its values." placeholder:"SQL"`
	Message     string  `short:"m" help:"What the change is for."`
}

// Run changes a column.
func (cmd *variableEditCmd) Run(c console) error {
	body := map[string]any{}
	for name, value := range map[string]*string{
		"name": cmd.Name, "type": cmd.Type, "title": cmd.Title, "description": cmd.Description, "derivation": cmd.Derivation,
	} {
		if value != nil {
			body[name] = *value
		}
	}
	if len(body) == 0 {
		return exitError{exitUsage, errors.New("what is to change? See rowback variable edit --help")}
	}
	query := cmd.query()
	if cmd.Message != "" {
		query.Set("message", cmd.Message)
	}
	var done variableCommit
	if err := cmd.call(http.MethodPatch, cmd.path("variables", cmd.Variable), query, body, &done); err != nil {
		return err
	}
	return done.show(c)
}

// variableDeleteCmd drops a column.
type variableDeleteCmd struct {
	datasetFlags
	Variable string `arg:"" help:"Name or field id of the column."`
	Message  string `short:"m" help:"What the change is for."`
}

// Run drops a column.
func (cmd *variableDeleteCmd) Run(c console) error {
	query := cmd.query()
	if cmd.Message != "" {
		query.Set("message", cmd.Message)
	}
	var done commitAnswer
	if err := cmd.call(http.MethodDelete, cmd.path("variables", cmd.Variable), query, nil, &done); err != nil {
		return err
	}
	return c.answer(done, func() {
		done.show(c)
		c.printf("To bring it back: rowback rollback %s --dataset %s\n", fmt.Sprint(done.ID), cmd.Dataset)
	})
}
