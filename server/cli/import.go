package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/schollz/progressbar/v3"

	"github.com/rowback/rowback/storage/schema"
)

type importCmd struct {
	datasetFlags
	Files   []string `arg:"" help:"Parquet, Arrow, CSV, NDJSON, JSON or Excel (.xlsx) files, recognized by extension; .gz and .zst too. Each becomes a commit. - is standard input. Addresses (s3:// or file://) of Parquet files in the store's incoming/ are one commit together, which the server reads by itself."`
	Format  string   `help:"What the files are, whatever their extensions: parquet, arrow, csv, tsv, ndjson, json or xlsx. Needed for standard input." enum:",parquet,arrow,arrows,feather,csv,tsv,ndjson,jsonl,json,xlsx" default:""`
	Mode    string   `help:"append, overwrite, upsert, replace or delete." enum:"append,overwrite,upsert,replace,delete" default:"append"`
	Message string   `short:"m" help:"What the commits are for."`
	Create  bool     `help:"Create the dataset if it does not exist. If the first file is refused, it is deleted again."`
	Key     []string `help:"With --create: the key columns."`
	Require []string `help:"With --create: columns that have a value in every record."`
	Strict  bool     `help:"Refuse files with other columns than the dataset has."`
	OnError string   `help:"collect: leave out the records that can't be committed, commit the others, and show which are left out." enum:"refuse,collect" default:"refuse"`
	DryRun  bool     `help:"Only show what would be done. Each file is looked at by itself."`
	Lineage string   `help:"What the records were made from, beside the file, as JSON or a file of it: inputs, models, prompts, parameters, code, run." placeholder:"FILE"`
	writtenFlags

	madeFrom json.RawMessage // that Lineage has; nil: none
}

// commitAnswer is a commit as the command line shows it.
type commitAnswer struct {
	ID               int64  `json:"id"`
	Mode             string `json:"mode"`
	Status           string `json:"status"`
	Message          string `json:"message"`
	User             string `json:"user"`
	CreatedAt        string `json:"created_at"`
	ParentCommitID   *int64 `json:"parent_commit_id"`
	RollbackCommitID *int64 `json:"rollback_commit_id"`
	Added            int64  `json:"records_added"`
	Removed          int64  `json:"records_removed"`
	Modified         int64  `json:"records_modified"`
	Total            int64  `json:"records_total"`
	Overlapping      int64  `json:"overlapping_records,omitempty"`
	Digest           string `json:"digest,omitempty"`

	SchemaChanges  []schema.Change                `json:"schema_changes"`
	ColumnsCleared []string                       `json:"columns_cleared"`
	Warnings       []string                       `json:"warnings,omitempty"`
	DryRun         bool                           `json:"dry_run,omitempty"`
	Keys           map[string][]map[string]string `json:"keys,omitempty"`
	Metadata       json.RawMessage                `json:"metadata,omitempty"`
	Rejected       *rejectedAnswer                `json:"rejected,omitempty"`
	Params         struct {
		Cascade []int64 `json:"cascade,omitempty"`
	} `json:"params"`
}

// show prints the commit, or what it would be, and what it did beside changing records.
func (a commitAnswer) show(c console) {
	if a.DryRun {
		c.printf("would be ")
	}
	c.println(a)
	for _, id := range a.Params.Cascade {
		c.printf("  with commit %d\n", id)
	}
	for _, k := range a.SchemaChanges {
		switch {
		case a.Total != a.Added:
			c.printf("  column %s: %s\n", k.Column, k.Change)
		case a.DryRun: // the first records bring all columns: what they are is of interest before it is done
			c.printf("  column %s: %s\n", k.Column, k.To)
		}
	}
	if len(a.ColumnsCleared) > 0 {
		c.printf("  records lost their values in %s\n", strings.Join(a.ColumnsCleared, ", "))
	}
	for _, warning := range a.Warnings {
		c.println("  warning:", warning)
	}
	if a.Rejected != nil && a.Rejected.Count > 0 {
		a.Rejected.show(c)
	}
	for _, kind := range []string{"added", "removed", "modified"} {
		for _, key := range a.Keys[kind] {
			c.printf("  %s %s\n", kind, keyText(key))
		}
	}
}

// rejectedAnswer are the records that a commit was made without.
type rejectedAnswer struct {
	Count     int64             `json:"count"`
	Records   []json.RawMessage `json:"records"`
	URL       string            `json:"url,omitempty"`
	ExpiresAt string            `json:"expires_at,omitempty"`
}

// show prints the first of the records, and where all are.
func (r rejectedAnswer) show(c console) {
	c.printf("  left out %s\n", countOf(r.Count, "record"))
	for _, record := range r.Records {
		var one struct {
			Number int64    `json:"_record"`
			Errors []string `json:"_errors"`
		}
		if json.Unmarshal(record, &one) == nil {
			c.printf("  record %d: %s\n", one.Number, strings.Join(one.Errors, "; "))
		}
	}
	if r.URL != "" {
		c.printf("  all of them, for a day: %s\n", r.URL)
	}
}

// keyText is the key of a record on one line.
func keyText(key map[string]string) string {
	var parts []string
	for _, name := range sorted(key) {
		parts = append(parts, name+" "+key[name])
	}
	return strings.Join(parts, ", ")
}

// changes counts the records that the commit changed.
func (a commitAnswer) changes() string {
	return fmt.Sprintf("+%s -%s ~%s", comma(a.Added), comma(a.Removed), comma(a.Modified))
}

// String is the commit on one line.
func (a commitAnswer) String() string {
	return fmt.Sprintf("commit %d: %s %s, %s", a.ID, a.Mode, a.changes(), countOf(a.Total, "record"))
}

// Run commits each file.
func (cmd *importCmd) Run(c console) error {
	if cmd.Lineage != "" {
		var err error
		if cmd.madeFrom, err = readLineage(cmd.Lineage); err != nil {
			return err
		}
	}
	if err := cmd.lookAtAll(); err != nil { // before anything is done
		return err
	}
	made := ""
	if cmd.Create {
		var err error
		if made, err = cmd.create(); err != nil {
			return err
		}
	}
	done, err := cmd.commitAll(c)
	var refused *problem
	if made != "" && done == 0 && (err == nil || errors.As(err, &refused)) {
		err = errors.Join(err, cmd.withdraw(made))
	}
	return err
}

// commitAll commits the files one by one, or those of the store together, and returns how many commits were made.
func (cmd *importCmd) commitAll(c console) (done int, err error) {
	if cmd.areReferences() {
		return cmd.commitReferences(c)
	}
	for _, file := range cmd.Files {
		commit, err := cmd.commit(c, file)
		if err != nil {
			return done, fmt.Errorf("%s: %w", file, err)
		}
		if err := c.answer(commit, func() {
			c.printf("%s: ", file)
			if r := commit.Rejected; r != nil && r.URL != "" {
				r.URL = cmd.url(r.URL, nil) // as people open it
			}
			commit.show(c)
		}); err != nil {
			return done, err
		}
		if !commit.DryRun {
			done++
		}
	}
	return done, nil
}

// look reports what is wrong with a file that can be found out without reading it.
func (cmd *importCmd) look(file string) error {
	if _, err := mediaOf(file, cmd.Format); err != nil || file == "-" {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return errors.Unwrap(err)
	}
	if !info.Mode().IsRegular() && !info.IsDir() {
		return nil // opening a pipe would use it up
	}
	in, err := openSource(file, cmd.Format)
	if err != nil {
		return err
	}
	return in.Close()
}

func (cmd *importCmd) commit(c console, file string) (commit commitAnswer, err error) {
	in, err := openSource(file, cmd.Format)
	if err != nil {
		return commit, err
	}
	defer in.Close()
	body, done := watch(c, in, in.size, filepath.Base(file))
	defer done()
	source := filepath.Base(file)
	if file == "-" {
		source = ""
	}
	return cmd.commitBody(body, in.size, in.media, source)
}

// commitBody commits the records of a body, which is a file of that name; empty: it is none.
func (cmd *importCmd) commitBody(
	body io.Reader, size int64, media, source string,
) (commit commitAnswer, err error) {
	query := cmd.query()
	cmd.writtenFlags.set(query)
	query.Set("mode", cmd.Mode)
	if cmd.Message != "" {
		query.Set("message", cmd.Message)
	}
	if cmd.Strict {
		query.Set("schema", "strict")
	}
	if cmd.DryRun {
		query.Set("dry_run", "true")
	}
	if cmd.OnError != "refuse" {
		query.Set("on_error", cmd.OnError)
	}
	if source != "" {
		query.Set("source", source)
	}
	if cmd.madeFrom != nil {
		query.Set("metadata", `{"lineage":`+string(cmd.madeFrom)+`}`)
	}
	req, err := http.NewRequest(http.MethodPost, cmd.url(cmd.path("commits"), query), body)
	if err != nil {
		return commit, err
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", media)
	res, err := cmd.send(req)
	if err != nil {
		return commit, err
	}
	defer res.Body.Close()
	return commit, json.NewDecoder(res.Body).Decode(&commit)
}

// watch shows a progress bar while in is read, if standard error is a terminal.
func watch(c console, in io.Reader, size int64, what string) (io.Reader, func()) {
	if !c.isTerminal() {
		return in, func() {}
	}
	bar := progressbar.NewOptions64(size, progressbar.OptionSetWriter(c.err), progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true), progressbar.OptionClearOnFinish())
	r := progressbar.NewReader(in, bar)
	return &r, func() { bar.Finish() }
}
