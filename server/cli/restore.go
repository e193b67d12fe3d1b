package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/rowback/rowback/storage"
)

// restoreCmd takes a dataset back to the state at a ref. With a directory, or with a dataset as project/name, it
// restores from a backup, as it did before there was backup restore.
type restoreCmd struct {
	remote
	Ref       string     `arg:"" help:"The state to go back to: ${refs}."`
	Dir       string     `arg:"" optional:"" hidden:"" help:"Of backup restore."`
	Dataset   string     `short:"d" help:"Name or id of the dataset." placeholder:"NAME"`
	ProjectID projectRef `help:"${of_project}" default:"1" aliases:"project" placeholder:"NAME"`
	Message   string     `short:"m" help:"What it is for."`
	DryRun    bool       `help:"Only show what would be done."`
	Damaged   bool       `hidden:"" help:"Of backup restore."`
	As        string     `hidden:"" help:"Of backup restore."`
	Into      projectRef `hidden:"" help:"Of backup restore."`
	State     string     `name:"ref" hidden:"" help:"Of backup restore." default:"head"`
}

// inBackup is how a dataset in a backup is named.
var inBackup = regexp.MustCompile(`^[0-9]+/.`)

// Run restores.
func (cmd *restoreCmd) Run(c console) error {
	if cmd.Dir != "" || inBackup.MatchString(cmd.Dataset) {
		dir := cmd.Dir
		if dir != "" { // which kong would make the working directory
			dir = kong.ExpandPath(dir)
		}
		return (&backupRestoreCmd{
			cmd.remote, kong.ExpandPath(cmd.Ref), dir, cmd.Damaged, cmd.Dataset, cmd.As, cmd.Into, cmd.State,
			false, "", "",
		}).Run(c)
	}
	if cmd.Dataset == "" {
		return exitError{exitUsage, errors.New("which dataset? Name it with --dataset. To restore a store from a backup, " +
			"name the directory to make: rowback backup restore BACKUP DIR")}
	}
	one := datasetFlags{cmd.remote, cmd.Dataset, cmd.ProjectID}
	query := one.query()
	body := map[string]string{"ref": cmd.Ref, "message": cmd.Message}
	var commit commitAnswer
	var err error
	if cmd.DryRun { // it is answered at once
		query.Set("dry_run", "true")
		err = cmd.post(one.path("restore"), query, body, &commit)
	} else {
		err = cmd.work(c, one.path("restore"), query, body, &commit)
	}
	if err != nil {
		return err
	}
	return c.answer(commit, func() { commit.show(c) })
}

// backupRestoreCmd makes a store from a backup, or a dataset in a server.
type backupRestoreCmd struct {
	remote
	Backup  string     `arg:"" help:"${restore_backup}" type:"path"`
	Dir     string     `arg:"" optional:"" help:"The data directory to make. It must be empty or missing." type:"path"`
	Damaged bool       `help:"Also restore a backup of a damaged store, without what was damaged."`
	Dataset string     `help:"${restore_dataset}" placeholder:"PROJECT/NAME"`
	As      string     `help:"The name of the new dataset." placeholder:"NAME"`
	Into    projectRef `help:"The project of the new dataset; by default the one that it was in." placeholder:"PROJECT"`
	Ref     string     `help:"Which state of the dataset: ${refs}." default:"head"`
	History bool       `help:"${restore_history}"`
	Data    string     `help:"${restore_data}" type:"path" placeholder:"DIR"`
	Catalog string     `help:"${catalog_of}" placeholder:"URL"`
}

// Run restores.
func (cmd *backupRestoreCmd) Run(c console) error {
	switch {
	case cmd.Dataset != "" && cmd.Dir != "":
		return errors.New("a dataset is restored into a server, and not into a directory: leave one of them out")
	case cmd.Data != "" && !cmd.History:
		return exitError{exitUsage, errors.New("--data is for a dataset with its --history. " +
			"To restore a whole store, name the directory after the backup")}
	case cmd.History && cmd.Dataset == "":
		return exitError{exitUsage, errors.New("--history of which dataset? Name it with --dataset. " +
			"A whole store is always restored with its history")}
	case cmd.History && cmd.Ref != "head":
		return exitError{exitUsage, errors.New("--history brings all states, and --ref one of them: leave one of them out")}
	case cmd.History:
		return cmd.history(c)
	case cmd.Dataset != "":
		return cmd.dataset(c)
	case cmd.Dir == "":
		return exitError{exitUsage, errors.New("restore into which directory? Or name a dataset with --dataset")}
	}
	out, err := storage.RestoreStore(context.Background(),
		storage.Restoration{Backup: cmd.Backup, Dir: cmd.Dir, Damaged: cmd.Damaged}, storage.Options{})
	if err != nil {
		return err
	}
	audited, err := checkAudit(context.Background(), cmd.Dir, "")
	if err != nil {
		return fmt.Errorf("the store was restored, but its audit log can't be checked: %w", err)
	}
	m := out.Manifest
	report := map[string]any{
		"backup": m.ID, "datasets": len(m.Datasets), "objects": m.Objects, "last_commit": m.Cut, "compared": out.Compared,
		"problems": texted(out.Problems), "audit_problems": texted(audited),
	}
	return c.answer(report, func() {
		c.printf("restored backup %s: %s, %s, up to commit %d\n", m.ID, countOf(len(m.Datasets), "dataset"),
			countOf(m.Objects, "object"), m.Cut)
		c.printf("every object was compared with its checksum, and the digests of %s with those at the time\n",
			countOf(out.Compared, "dataset"))
		for _, p := range out.Problems {
			c.println(p)
		}
		for _, p := range audited { // the store is whole without it
			c.println("audit log:", p)
		}
	})
}

// wanted is the dataset in the backup, by project and name.
func (cmd *backupRestoreCmd) wanted() (project int64, name string, err error) {
	of, name, ok := strings.Cut(cmd.Dataset, "/")
	project, err = strconv.ParseInt(of, 10, 64)
	if !ok || err != nil || name == "" {
		return 0, "", fmt.Errorf("--dataset %s: write it as NUMBER/NAME, with its project's number, such as 1/employees",
			cmd.Dataset)
	}
	return project, name, nil
}

// dataset makes a dataset in a server from one state of a dataset in the backup.
func (cmd *backupRestoreCmd) dataset(c console) error {
	id, name, err := cmd.wanted()
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "rowback-restore-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	archive, err := os.Create(filepath.Join(scratch, "archive.tar"))
	if err != nil {
		return err
	}
	defer archive.Close()
	x := storage.Extraction{
		Backup: cmd.Backup, Project: id, Dataset: name, Ref: cmd.Ref, Scratch: filepath.Join(scratch, "store"),
	}
	if err := storage.Extract(context.Background(), x, storage.Options{}, archive); err != nil {
		return err
	}
	if cmd.Into == "" {
		cmd.Into = numbered(id)
	}
	return cmd.sendArchive(c, archive)
}

// sendArchive has the server make a dataset from an archive.
func (cmd *backupRestoreCmd) sendArchive(c console, archive *os.File) error {
	if _, err := archive.Seek(0, io.SeekStart); err != nil {
		return err
	}
	query := url.Values{"name": {cmd.As}, "project_id": {string(cmd.Into)}}
	req, err := http.NewRequest(http.MethodPost, cmd.url("/api/v1/backups", query), archive)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-tar")
	var made struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Records int64  `json:"records_total"`
	}
	if err := cmd.json(req, &made); err != nil {
		return err
	}
	return c.answer(made, func() {
		c.printf("dataset %s (%s): %s. Its earlier history stays in the backup\n", made.Name, made.ID,
			countOf(made.Records, "record"))
	})
}
