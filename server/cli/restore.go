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
	"strings"

	"github.com/alecthomas/kong"

	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/bucket"
)

// restoreCmd takes a dataset back to the state at a ref. With what only a backup restore has, such as a directory, it
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
	if cmd.Dir != "" || cmd.As != "" || bucket.Is(cmd.Ref) || inBackup.MatchString(cmd.Dataset) {
		restore := backupRestoreCmd{
			remote: cmd.remote, Damaged: cmd.Damaged, Dataset: cmd.Dataset, As: cmd.As,
			Into: cmd.Into, Ref: cmd.State,
		}
		if err := restore.Backup.UnmarshalText([]byte(cmd.Ref)); err != nil {
			return err
		}
		if cmd.Dir != "" { // which kong would make the working directory
			restore.Dir = kong.ExpandPath(cmd.Dir)
		}
		return restore.Run(c)
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
	bucketFlags
	Backup  backupPlace `arg:"" help:"${restore_backup}"`
	Dir     string      `arg:"" optional:"" help:"The data directory to make. It must be empty or missing." type:"path"`
	Damaged bool        `help:"Also restore a backup of a damaged store, without what was damaged."`
	Dataset string      `help:"${restore_dataset}" placeholder:"PROJECT/NAME"`
	As      string      `help:"The name of the new dataset." placeholder:"NAME"`
	Into    projectRef  `help:"The project of the new dataset; by default the one that it was in." placeholder:"PROJECT"`
	Ref     string      `help:"Which state of the dataset: ${refs}." default:"head"`
	History bool        `help:"${restore_history}"`
	Data    string      `help:"${restore_data}" type:"path" placeholder:"DIR"`
	Catalog string      `help:"${catalog_of}" placeholder:"URL"`
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
	ctx, stop := untilStopped()
	defer stop()
	out, err := storage.RestoreStore(ctx,
		storage.Restoration{Backup: string(cmd.Backup), Dir: cmd.Dir, Damaged: cmd.Damaged}, cmd.options())
	if err != nil {
		return err
	}
	audited, err := checkAudit(ctx, cmd.Dir, "")
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

// wanted splits the name of the dataset in the backup into its project and its own.
func (cmd *backupRestoreCmd) wanted() (project projectRef, name string, err error) {
	of, name, ok := strings.Cut(cmd.Dataset, "/")
	if !ok || of == "" || name == "" {
		return "", "", fmt.Errorf("--dataset %s: write it as PROJECT/NAME, with the name or the number of its project, "+
			"such as 1/employees", cmd.Dataset)
	}
	return projectRef(of), name, nil
}

// inBackup returns the dataset in the backup, whose project it finds by its name too.
func (cmd *backupRestoreCmd) inBackup(ctx context.Context) (project int64, name string, err error) {
	of, name, err := cmd.wanted()
	if err != nil {
		return 0, "", err
	}
	if id, ok := of.number(); ok {
		return id, name, nil
	}
	project, err = cmd.projectCalled(ctx, string(of))
	if err != nil {
		return 0, "", fmt.Errorf("--dataset %s: %w", cmd.Dataset, err)
	}
	return project, name, nil
}

// projectCalled finds a project by the name that it has in the settings of the backup.
func (cmd *backupRestoreCmd) projectCalled(ctx context.Context, name string) (id int64, err error) {
	scratch, err := os.MkdirTemp("", "rowback-restore-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(scratch)
	has, err := storage.CopyBackupSettings(ctx, string(cmd.Backup), filepath.Join(scratch, settings.File), cmd.options())
	if err != nil {
		return 0, err
	}
	if !has {
		return 0, errors.New("the backup has no names of projects, as it is not one of a whole store: name the project by " +
			"its number")
	}
	db, err := settings.Open(ctx, scratch)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return projectIn(ctx, db, name)
}

// dataset makes a dataset in a server from one state of a dataset in the backup.
func (cmd *backupRestoreCmd) dataset(c console) error {
	ctx, stop := untilStopped()
	defer stop()
	id, name, err := cmd.inBackup(ctx)
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
		Backup: string(cmd.Backup), Project: id, Dataset: name, Ref: cmd.Ref, Scratch: filepath.Join(scratch, "store"),
	}
	if err := storage.Extract(ctx, x, cmd.options(), archive); err != nil {
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
