package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/datadir"
)

// checkCmd checks a store that no server has open. It works on the directory and not over HTTP: a damaged store may not
// start.
type checkCmd struct {
	Data string `help:"Data directory." default:"rowback-data" type:"path"`
	Deep bool   `help:"Read every byte and compare it with its checksum."`

	Catalog string `help:"${catalog_of}" placeholder:"URL"`
}

// Exit codes of check. It is 0 where the store is sound.
const (
	exitDamaged   = 1
	exitNoStore   = 2
	exitUnchecked = 3
)

// Help explains the exit codes.
func (cmd *checkCmd) Help() string {
	return "The directory is not changed. Exit codes: 0 the store is sound, 1 it is damaged, 2 it is not a store, 3 it " +
		"could not be checked."
}

// Run checks a data directory.
func (cmd *checkCmd) Run(c console) error {
	found, err := storage.Inspect(context.Background(), cmd.Data, cmd.Deep, storage.Options{Catalog: cmd.Catalog})
	switch {
	case errors.Is(err, storage.ErrNotStore):
		return exitError{exitNoStore, err}
	case err != nil:
		return exitError{exitUnchecked, err}
	}
	audited, err := checkAudit(context.Background(), cmd.Data, cmd.Catalog)
	if err != nil {
		return exitError{exitUnchecked, err}
	}
	report := checkAnswer{Forward: texted(found.Forward), Problems: texted(found.Problems), Audit: audited}
	if err := c.answer(report, func() { report.show(c) }); err != nil {
		return err
	}
	if n := len(report.Problems) + len(audited); n > 0 {
		return exitError{exitDamaged, errors.New(countOf(n, "problem"))}
	}
	return nil
}

// checkAnswer is what a check found.
type checkAnswer struct {
	Forward  []string `json:"forward"`
	Problems []string `json:"problems"`
	Audit    []string `json:"audit_problems"`
}

// texted returns each of a list as text.
func texted[T any](list []T) []string {
	out := make([]string, len(list))
	for i, one := range list {
		out[i] = fmt.Sprint(one)
	}
	return out
}

// show prints what was found.
func (a checkAnswer) show(c console) {
	for _, step := range a.Forward {
		c.println("the next start records in the catalog:", step)
	}
	for _, p := range a.Problems {
		c.println(p)
	}
	for _, p := range a.Audit {
		c.println("audit log:", p)
	}
	if len(a.Problems)+len(a.Audit) == 0 {
		c.println("Everything is as it must be.")
	}
}

// checkAudit reports what is wrong with the audit log of a data directory. Its last number is in the settings.
func checkAudit(ctx context.Context, dir, catalog string) (problems []string, err error) {
	marker, _, err := datadir.Read(dir)
	if err != nil {
		return nil, err
	}
	if marker.Settings == "" {
		return checkAuditHere(ctx, dir)
	}
	if !(place{dir: dir, catalog: catalog}).isDatabase() {
		return nil, errSettingsElsewhere
	}
	set, err := settings.ReadPostgres(ctx, catalog)
	if errors.Is(err, fs.ErrNotExist) {
		return []string{"The users and settings are not in PostgreSQL, and store.json says that they are."}, nil
	}
	if err != nil {
		return nil, err
	}
	defer set.Close()
	return compareAudit(ctx, dir, set)
}

// checkAuditHere is checkAudit where the settings are in the directory.
func checkAuditHere(ctx context.Context, dir string) (problems []string, err error) {
	copied, err := settings.Copy(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) { // of a program that had none
		report, err := audit.Check(ctx, dir, audit.Head{})
		return report.Problems, err
	}
	if errors.Is(err, settings.ErrDamaged) {
		return []string{err.Error()}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", settings.File, err)
	}
	defer copied.Close()
	return compareAudit(ctx, dir, copied.DB)
}

// compareAudit compares the audit log with what the settings have of it.
func compareAudit(ctx context.Context, dir string, set *settings.DB) (problems []string, err error) {
	keeper, err := auditKeeper(set, dir)
	if err != nil {
		return nil, err
	}
	kept, err := keeper.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the last number of the audit log: %w", err)
	}
	report, err := audit.Check(ctx, dir, kept)
	return report.Problems, err
}

// auditKeeper is the keeper of the last number of a directory's audit log. Servers that share their settings may have
// directories of their own, and with them logs of their own.
func auditKeeper(set *settings.DB, dir string) (audit.Keeper, error) {
	marker, _, err := datadir.Read(dir)
	return audit.KeptIn(set, marker.AuditLog()), err
}

// exitError is a failure with its own exit code.
type exitError struct {
	code int
	error
}
