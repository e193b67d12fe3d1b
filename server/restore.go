package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"rowback/storage"
)

// restoreCmd makes a store from a backup, or a dataset in a server.
type restoreCmd struct {
	remote
	Backup  string `arg:"" help:"${restore_backup}" type:"path"`
	Dir     string `arg:"" optional:"" help:"The data directory to make. It must be empty or missing." type:"path"`
	Damaged bool   `help:"Also restore a backup of a damaged store, without what was damaged."`
	Dataset string `help:"${restore_dataset}" placeholder:"PROJECT/NAME"`
	As      string `help:"The name of the new dataset." placeholder:"NAME"`
	Into    int64  `help:"The project of the new dataset; by default the one that it was in." placeholder:"PROJECT"`
	Ref     string `help:"Which state of the dataset: ${refs}." default:"head"`
}

// Run restores.
func (cmd *restoreCmd) Run(c console) error {
	switch {
	case cmd.Dataset != "" && cmd.Dir != "":
		return errors.New("a dataset is restored into a server, and not into a directory: leave one of them out")
	case cmd.Dataset != "":
		return cmd.dataset(c)
	case cmd.Dir == "":
		return errors.New("restore into which directory? Or name a dataset with --dataset")
	}
	out, err := storage.RestoreStore(context.Background(),
		storage.Restoration{Backup: cmd.Backup, Dir: cmd.Dir, Damaged: cmd.Damaged}, storage.Options{})
	if err != nil {
		return err
	}
	m := out.Manifest
	fmt.Fprintf(c.out, "restored backup %s: %d datasets, %d objects, up to commit %d\n", m.ID, len(m.Datasets), m.Objects,
		m.Cut)
	fmt.Fprintf(c.out,
		"every object was compared with its checksum, and the digests of %d datasets with those at the time\n", out.Compared)
	for _, p := range out.Problems {
		fmt.Fprintln(c.out, p)
	}
	return sayAudit(c, cmd.Dir)
}

// sayAudit says what the audit log of a restored store lacks. The store is whole without it.
func sayAudit(c console, dir string) error {
	problems, err := checkAudit(context.Background(), dir)
	if err != nil {
		return fmt.Errorf("the store was restored, but its audit log can't be checked: %w", err)
	}
	for _, p := range problems {
		fmt.Fprintln(c.out, "audit log:", p)
	}
	return nil
}

// dataset makes a dataset in a server from one state of a dataset in the backup.
func (cmd *restoreCmd) dataset(c console) error {
	project, name, ok := strings.Cut(cmd.Dataset, "/")
	id, err := strconv.ParseInt(project, 10, 64)
	if !ok || err != nil || name == "" {
		return fmt.Errorf("--dataset %s: write it as project/name, such as 1/employees", cmd.Dataset)
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
	if cmd.Into == 0 {
		cmd.Into = id
	}
	return cmd.send(c, archive)
}

// send has the server make a dataset from an archive.
func (cmd *restoreCmd) send(c console, archive *os.File) error {
	if _, err := archive.Seek(0, io.SeekStart); err != nil {
		return err
	}
	query := url.Values{"name": {cmd.As}, "project_id": {strconv.FormatInt(cmd.Into, 10)}}
	req, err := http.NewRequest(http.MethodPost, cmd.url("/api/v1/backups", query), archive)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-tar")
	var made struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Records int64  `json:"records"`
	}
	if err := cmd.json(req, &made); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "dataset %s (%s): %d records. Its earlier history stays in the backup\n", made.Name, made.ID,
		made.Records)
	return nil
}
