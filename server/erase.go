package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
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
		return errors.New("which records? Give their keys, or a condition with --where")
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
	if e.Records == 0 {
		fmt.Fprintln(c.out, "no such record, in any state: nothing to erase")
		return nil
	}
	done := "erased"
	if cmd.DryRun {
		done = "would erase"
	}
	fmt.Fprintf(c.out, "%s records: %d, rows: %d; files rewritten: %d, removed: %d\n", done, e.Records, e.Rows, e.Rewritten,
		e.Removed)
	for _, d := range e.Datasets {
		fmt.Fprintf(c.out, "dataset %s: commits affected: %d%s\n", d.ID, d.Commits, named(d.Versions))
	}
	for _, b := range e.Backups {
		fmt.Fprintf(c.out, "backup %s (of %s) still has what was erased: remove it\n", b.ID, b.Ref)
	}
	for _, b := range e.StoreBackups {
		fmt.Fprintf(c.out, "backup %s of the store still has what was erased: make a new one, then prune\n", b.ID)
	}
	return nil
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

// list shows the erasures.
func (cmd *eraseCmd) list(c console) error {
	for cursor := ""; ; {
		query := cmd.query()
		if cursor != "" {
			query = url.Values{"project_id": query["project_id"], "cursor": {cursor}}
		}
		var page struct {
			Erasures []erasureAnswer `json:"erasures"`
			Next     string          `json:"next_cursor"`
		}
		if err := cmd.get(cmd.path("erasures"), query, &page); err != nil {
			return err
		}
		for _, e := range page.Erasures {
			fmt.Fprintf(c.out, "%d  %s  %s  records: %d, rows: %d  %s\n", e.ID, e.CreatedAt, e.User, e.Records, e.Rows, e.Reason)
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}
