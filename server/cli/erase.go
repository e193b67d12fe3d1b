package cli

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/rowback/rowback/server/terminal"
)

// eraseCmd erases records from all history.
type eraseCmd struct {
	datasetFlags
	Keys   []string `arg:"" optional:"" help:"Keys of records: each a value, or a JSON object of a key of several columns."`
	Where  string   `help:"A condition on records, in SQL, instead of keys." placeholder:"CONDITION"`
	Reason string   `help:"Why. It is kept, so it must not name what is erased."`
	DryRun bool     `help:"Only show what would be erased."`
	List   bool     `help:"List the erasures, newest first."`
}

// erasureAnswer is an erasure as the command line shows it.
type erasureAnswer struct {
	ID        int64  `json:"id"`
	User      string `json:"user"`
	Reason    string `json:"reason"`
	CreatedAt string `json:"created_at"`
	Records   int64  `json:"records"`
	Rows      int64  `json:"rows"`
	Rewritten int64  `json:"files_rewritten"`
	Removed   int64  `json:"files_removed"`
	Datasets  []struct {
		ID       string   `json:"id"`
		Commits  int64    `json:"commits"`
		Versions []string `json:"versions"`
	} `json:"datasets"`
	Backups []struct {
		ID  string `json:"id"`
		Ref string `json:"ref"`
	} `json:"backups"`
	StoreBackups []struct {
		ID string `json:"id"`
	} `json:"store_backups"`
}

// Run erases records, or lists erasures.
func (cmd *eraseCmd) Run(c console) error {
	if cmd.List {
		return cmd.list(c)
	}
	if (len(cmd.Keys) == 0) == (cmd.Where == "") {
		return exitError{exitUsage, errors.New("which records? Give their keys, or a condition with --where")}
	}
	body := map[string]any{"reason": cmd.Reason}
	if cmd.Where != "" {
		body["where"] = cmd.Where
	} else {
		body["keys"] = keysOf(cmd.Keys)
	}
	query := cmd.query()
	if cmd.DryRun {
		query.Set("dry_run", "true")
	}
	var e erasureAnswer
	if err := cmd.post(cmd.path("erase"), query, body, &e); err != nil {
		return err
	}
	return c.answer(e, func() { e.show(c, cmd.DryRun) })
}

// show prints what was erased, or would be, and what still has it.
func (e erasureAnswer) show(c console, isDry bool) {
	if e.Records == 0 {
		c.println("no such record, in any state: nothing to erase")
		return
	}
	done := "erased"
	if isDry {
		done = "would erase"
	}
	c.printf("%s records: %d, rows: %d; files rewritten: %d, removed: %d\n", done, e.Records, e.Rows,
		e.Rewritten, e.Removed)
	for _, d := range e.Datasets {
		c.printf("dataset %s: commits affected: %d%s\n", d.ID, d.Commits, named(d.Versions))
	}
	for _, b := range e.Backups {
		c.printf("backup %s (of %s) still has what was erased: remove it\n", b.ID, b.Ref)
	}
	for _, b := range e.StoreBackups {
		c.printf("backup %s of the store still has what was erased: make a new one, then prune\n", b.ID)
	}
}

// named lists versions.
func named(versions []string) string {
	if len(versions) == 0 {
		return ""
	}
	return "; versions: " + strings.Join(versions, ", ")
}

// keysOf returns keys as JSON: an object as it is, all else as text, which the server reads by the type of the column.
func keysOf(args []string) (keys []json.RawMessage) {
	for _, arg := range args {
		text := json.RawMessage(arg)
		if !strings.HasPrefix(arg, "{") || !json.Valid(text) {
			text, _ = json.Marshal(arg)
		}
		keys = append(keys, text)
	}
	return keys
}

// erasurePage is a page of erasures.
type erasurePage struct {
	Erasures   []erasureAnswer `json:"erasures"`
	NextCursor *string         `json:"next_cursor"`
}

// list shows the erasures, of all pages.
func (cmd *eraseCmd) list(c console) error {
	all, err := allPages(cmd.remote, cmd.path("erasures"), cmd.query(), func(page erasurePage) ([]erasureAnswer, *string) {
		return page.Erasures, page.NextCursor
	})
	if err != nil {
		return err
	}
	return (formatFlag{}).print(c, all, "ERASURE\tWHEN\tUSER\tRECORDS\tROWS\tREASON", func(row func(...any)) {
		for _, e := range all {
			row(e.ID, terminal.Moment(e.CreatedAt), e.User, terminal.Count(e.Records), terminal.Count(e.Rows), e.Reason)
		}
	})
}
