package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rowback/rowback/server/terminal"
)

// historyCmd lists the commits that changed one record.
type historyCmd struct {
	datasetFlags
	formatFlag
	Key   string `arg:"" help:"The record's key; of several columns, as a JSON object."`
	Ref   string `help:"Only commits up to this ref." default:"head"`
	Limit int    `help:"How many commits to list." default:"20"`
}

// recordChange is what a commit did to a record, as the command line shows it.
type recordChange struct {
	Commit  commitAnswer               `json:"commit"`
	Change  string                     `json:"change"`
	Before  map[string]json.RawMessage `json:"before"`
	After   map[string]json.RawMessage `json:"after"`
	Columns []string                   `json:"columns"`
}

// Run lists the commits that changed a record.
func (cmd *historyCmd) Run(c console) error {
	query := cmd.query()
	query.Set("key", cmd.Key)
	query.Set("ref", cmd.Ref)
	query.Set("limit", fmt.Sprint(cmd.Limit))
	var list struct {
		History []recordChange `json:"history"`
	}
	if err := cmd.get(cmd.path("history"), query, &list); err != nil {
		return err
	}
	return cmd.print(c, list.History, "COMMIT\tMODE\tCHANGE\tVALUES\tWHEN\tUSER\tMESSAGE", func(row func(...any)) {
		for _, k := range list.History {
			mode, undone := k.Commit.modeFor(c)
			row(k.Commit.ID, mode, k.Change, k.values(), terminal.Moment(k.Commit.CreatedAt), k.Commit.User,
				k.Commit.Message, undone)
		}
	})
}

// values returns the values that changed, before and after; of a record that was added or removed, all of them.
func (k recordChange) values() string {
	var parts []string
	for _, name := range k.Columns {
		parts = append(parts, fmt.Sprintf("%s: %s -> %s", name, shown(k.Before, name), shown(k.After, name)))
	}
	if k.Before == nil || k.After == nil {
		one := k.Before
		if one == nil {
			one = k.After
		}
		for _, name := range sorted(one) {
			parts = append(parts, name+": "+shown(one, name))
		}
	}
	return strings.Join(parts, ", ")
}

// shown returns a value, or null if the record does not have the column.
func shown(record map[string]json.RawMessage, name string) string {
	if value, ok := record[name]; ok {
		return string(value)
	}
	return "null"
}
