package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/rowback/rowback/storage"
)

// repairCmd puts damaged files of a store back: those of a directory that no server has open, or, by the server that
// has it open, those that are known to be damaged.
type repairCmd struct {
	remote
	bucketFlags
	Data    string        `help:"Data directory, if no server has it open." default:"rowback-data" type:"path"`
	From    []backupPlace `help:"A directory of backups of this store, or s3://bucket/prefix; may be repeated." placeholder:"DIR"`
	Running bool          `help:"${repair_running}"`
	Catalog string        `help:"${catalog_of}" placeholder:"URL"`
	Apply   bool          `help:"Put them back. Without it, the command only shows what it would do."`
}

// Help explains the exit codes.
func (cmd *repairCmd) Help() string {
	return "A copy is used only if its checksum is that of what was written. Exit codes: 0 nothing is damaged any more, " +
		"1 something is, 2 it is not a store, 3 it could not be repaired."
}

// Run repairs a store, or shows what would be done.
func (cmd *repairCmd) Run(c console) error {
	found, err := cmd.repair(c)
	if err := c.answer(append([]storage.Repair{}, found...), func() {
		for _, r := range found {
			c.printf("%s: %s: %s\n", r.Key, r.Detail, whatBecameOf(r))
		}
	}); err != nil {
		return err
	}
	left, possible := 0, 0
	for _, r := range found {
		if !r.Done {
			left++
		}
		if r.Source != "" {
			possible++
		}
	}
	switch {
	case errors.Is(err, storage.ErrNotStore):
		return exitError{exitNoStore, err}
	case err != nil:
		return exitError{exitUnchecked, err}
	case left == 0 && len(found) == 0:
		c.note("Nothing is damaged.")
	case left == 0:
		c.note("Put back " + countOf(len(found), "object") + ".")
	case !cmd.Apply && possible > 0:
		return exitError{exitDamaged, fmt.Errorf("damaged or missing: %s; %d can be put back: add --apply",
			countOf(left, "object"), possible)}
	default:
		return exitError{exitDamaged, fmt.Errorf("damaged or missing: %s, of which no intact copy was found",
			countOf(left, "object"))}
	}
	return nil
}

// repair has the server repair what it knows to be damaged, or repairs a directory.
func (cmd *repairCmd) repair(c console) ([]storage.Repair, error) {
	if !cmd.Running {
		plan := storage.RepairPlan{Dir: cmd.Data, Apply: cmd.Apply}
		for _, from := range cmd.From {
			plan.Backups = append(plan.Backups, string(from))
		}
		return storage.RepairStore(context.Background(), plan,
			storage.Options{Catalog: cmd.Catalog, BackupBucket: cmd.at("")})
	}
	if len(cmd.From) > 0 {
		return nil, errors.New("a running server takes copies from its own backups (--backup-to): leave --from out")
	}
	const path = "/api/v1/store/repairs"
	var answer struct {
		Repairs []storage.Repair `json:"repairs"`
	}
	var err error
	if cmd.Apply {
		err = cmd.work(c, path, nil, nil, &answer)
	} else {
		err = cmd.call(http.MethodPost, path, url.Values{"dry_run": {"true"}}, nil, &answer)
	}
	return answer.Repairs, err
}

// whatBecameOf says what was done about an object, or can be.
func whatBecameOf(r storage.Repair) string {
	switch {
	case r.Done:
		return "put back from " + r.Source
	case r.Source != "":
		return "can be put back from " + r.Source
	}
	return "no intact copy was found"
}
