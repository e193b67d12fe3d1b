package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/rowback/rowback/server/terminal"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/backup"
)

// backupCmd makes backups, and looks after them.
type backupCmd struct {
	Create backupCreateCmd `cmd:"" default:"withargs" help:"Make a backup (the default)."`
	List   backupListCmd   `cmd:"" help:"List backups, newest first."`
	Prune  backupPruneCmd  `cmd:"" help:"Remove all backups but the newest, and what only they have."`
	Check  backupCheckCmd  `cmd:"" help:"Read everything in a directory of backups and compare it with its checksums."`

	Restore backupRestoreCmd `cmd:"" help:"Make a store from a backup, or a dataset in a server."`
}

// backupCreateCmd makes a backup: by the server, or, with a directory, of a store that no server has open.
type backupCreateCmd struct {
	remote
	bucketFlags
	Dir       backupPlace `arg:"" optional:"" help:"${backup_dir}"`
	Data      string      `help:"Data directory, if the backup goes to DIR." default:"rowback-data" type:"path"`
	Dataset   string      `help:"Name or id of a dataset: only this, with its history and its forks." placeholder:"NAME"`
	ProjectID projectRef  `help:"${of_project}" default:"1" aliases:"project" placeholder:"NAME"`
	Catalog   string      `help:"${catalog_of}" placeholder:"URL"`
	Full      bool        `help:"Read and write everything again, as if there were no earlier backups."`
}

// backupAnswer is a backup as the server describes it.
type backupAnswer struct {
	ID          string    `json:"id"`
	FamilyID    *string   `json:"family_id"`
	CreatedAt   time.Time `json:"created_at"`
	LastCommit  int64     `json:"last_commit"`
	Objects     int       `json:"objects"`
	Bytes       int64     `json:"bytes"`
	Copied      int       `json:"objects_copied"`
	CopiedBytes int64     `json:"bytes_copied"`
	Damaged     int       `json:"damaged_objects"`
}

// answerOf describes a backup as the server does.
func answerOf(m backup.Manifest) backupAnswer {
	a := backupAnswer{m.ID, nil, m.CreatedAt, m.Cut, m.Objects, m.Bytes, m.Copied, m.CopiedBytes, len(m.Damaged)}
	if m.Scope != "" {
		a.FamilyID = &m.Scope
	}
	return a
}

// Run makes a backup.
func (cmd *backupCreateCmd) Run(c console) (err error) {
	var a backupAnswer
	if cmd.Dir == "" {
		body := map[string]any{"full": cmd.Full}
		if cmd.Dataset != "" {
			body["dataset"], body["project_id"] = cmd.Dataset, cmd.ProjectID
		}
		err = cmd.work(c, "/api/v1/store/backups", nil, body, &a)
	} else {
		a, err = cmd.local()
	}
	if err != nil {
		return err
	}
	if err := c.answer(a, func() {
		c.printf("backup %s: up to commit %d; %s, %s; copied: %s, %s\n", a.ID, a.LastCommit,
			countOf(a.Objects, "object"), humanize.Bytes(uint64(a.Bytes)),
			countOf(a.Copied, "file"), humanize.Bytes(uint64(a.CopiedBytes)))
	}); err != nil {
		return err
	}
	if a.Damaged > 0 {
		return fmt.Errorf("the backup lacks %s damaged in the store. "+
			"See what it is with rowback check, repair the store, then back it up again", countOf(a.Damaged, "object"))
	}
	return nil
}

// local backs up a store that no server has open.
func (cmd *backupCreateCmd) local() (a backupAnswer, err error) {
	ctx, stop := untilStopped()
	defer stop()
	if err := (backupFlags{BackupTo: cmd.Dir, BackupKeep: 1}).check(cmd.Data); err != nil {
		return a, err
	}
	if _, err := storage.Inspect(ctx, cmd.Data, false, storage.Options{Catalog: cmd.Catalog}); errors.Is(err, storage.ErrNotStore) {
		return a, err // or it would be made one
	}
	store, err := storage.Open(ctx, cmd.Data, storage.Options{
		Program: version, Catalog: cmd.Catalog, CatalogThere: true, BackupBucket: cmd.at(""),
	})
	if errors.Is(err, storage.ErrInUse) {
		return a, fmt.Errorf("%w, or have it make the backup: start it with --backup-to, then run rowback backup "+
			"without a directory", err)
	}
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	store.Copies.Settings, err = place{dir: cmd.Data, catalog: cmd.Catalog}.copier()
	if err != nil {
		return a, err
	}
	n := storage.NewStoreBackup{Full: cmd.Full}
	if cmd.Dataset != "" {
		project, err := cmd.ProjectID.in(ctx, place{dir: cmd.Data, catalog: cmd.Catalog})
		if err != nil {
			return a, fmt.Errorf("--project-id: %w", err)
		}
		d, err := store.FindDataset(ctx, project, cmd.Dataset)
		if err != nil {
			return a, err
		}
		n.Dataset = d.ID
	}
	m, err := store.Copies.MakeIn(ctx, string(cmd.Dir), n, storage.Request{})
	return answerOf(m), causeOf(err)
}

// untilStopped returns a context that ends when the command is told to stop: what it has taken of a bucket is let go
// then.
func untilStopped() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

// causeOf adds to an error of a backup what is behind it: a client of the server is not told, the operator is.
func causeOf(err error) error {
	if cause := errors.Unwrap(err); cause != nil {
		return fmt.Errorf("%w (%w)", err, cause)
	}
	return err
}

// backupListCmd lists backups: those of a server, or in a directory.
type backupListCmd struct {
	remote
	formatFlag
	bucketFlags
	Dir backupPlace `arg:"" optional:"" help:"${backups_in} Without one, the server's are listed."`
}

// Run lists the backups.
func (cmd *backupListCmd) Run(c console) error {
	var answer struct {
		Backups    []backupAnswer `json:"backups"`
		Unreadable int            `json:"unreadable"`
	}
	if cmd.Dir == "" {
		if err := cmd.get("/api/v1/store/backups", nil, &answer); err != nil {
			return err
		}
	} else {
		list, unreadable, err := storage.ListBackups(context.Background(), string(cmd.Dir), cmd.options())
		if err != nil {
			return fmt.Errorf("%s: %w", cmd.Dir, err)
		}
		for _, m := range list {
			answer.Backups = append(answer.Backups, answerOf(m))
		}
		answer.Unreadable = len(unreadable)
	}
	header := "BACKUP\tOF\tCOMMIT\tOBJECTS\tSIZE\tCOPIED\tDAMAGED"
	err := cmd.print(c, answer.Backups, header, func(row func(...any)) {
		for _, a := range answer.Backups {
			of := "store"
			if a.FamilyID != nil {
				of = "family " + *a.FamilyID
			}
			row(terminal.ID(a.ID), of, a.LastCommit, terminal.Count(a.Objects), humanize.Bytes(uint64(a.Bytes)),
				humanize.Bytes(uint64(a.CopiedBytes)), a.Damaged)
		}
	})
	if err == nil && answer.Unreadable > 0 {
		err = fmt.Errorf("%s not listed: the manifest is damaged", countOf(answer.Unreadable, "backup"))
	}
	return err
}

// backupPruneCmd removes old backups.
type backupPruneCmd struct {
	bucketFlags
	Dir    backupPlace `arg:"" help:"${backups_in}"`
	Keep   int         `help:"How many complete backups are kept." required:"" placeholder:"N"`
	DryRun bool        `help:"Only show what would be removed."`
}

// Run removes old backups.
func (cmd *backupPruneCmd) Run(c console) error {
	ctx, stop := untilStopped()
	defer stop()
	out, err := storage.PruneBackups(ctx, string(cmd.Dir), cmd.Keep, cmd.DryRun, cmd.options())
	if err != nil {
		return fmt.Errorf("%s: %w", cmd.Dir, err)
	}
	done := "removed"
	if cmd.DryRun {
		done = "would remove"
	}
	return c.answer(out, func() {
		c.printf("%s %s and %s (%s)\n", done, countOf(len(out.Backups), "backup"), countOf(out.Objects, "object"),
			humanize.Bytes(uint64(out.Bytes)))
	})
}

// backupCheckCmd reads everything in a place of backups.
type backupCheckCmd struct {
	bucketFlags
	Dir           backupPlace `arg:"" help:"${backups_in}"`
	RemoveDamaged bool        `help:"Remove objects that are damaged, so that the next backup copies them again."`
}

// Run checks the backups.
func (cmd *backupCheckCmd) Run(c console) error {
	ctx, stop := untilStopped()
	defer stop()
	out, err := storage.CheckBackups(ctx, string(cmd.Dir), cmd.RemoveDamaged, cmd.options())
	if err != nil {
		return fmt.Errorf("%s: %w", cmd.Dir, err)
	}
	err = c.answer(out, func() {
		for _, p := range out.Problems {
			c.println(p)
		}
		if len(out.Problems) == 0 {
			c.printf("%s, %s (%s): everything is as it must be.\n", countOf(out.Backups, "backup"),
				countOf(out.Objects, "object"), humanize.Bytes(uint64(out.Bytes)))
		}
	})
	if n := len(out.Problems); err == nil && n > 0 {
		err = errors.New(countOf(n, "problem"))
	}
	return err
}
