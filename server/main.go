// Rowback is a versioning server for tabular datasets on Parquet, and the command line that talks to one.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"rowback/storage/intake"
)

// version is set when a release is built.
var version = "0.1.0"

// program is the command line. Each command has its own file.
type program struct {
	Version kong.VersionFlag `help:"Print the version and exit."`

	Serve          serveCmd          `cmd:"" help:"Run the server."`
	Import         importCmd         `cmd:"" help:"Commit files of records to a dataset."`
	Log            logCmd            `cmd:"" help:"List a dataset's commits, newest first."`
	History        historyCmd        `cmd:"" help:"List the commits that changed one record, newest first."`
	Digest         digestCmd         `cmd:"" help:"Print a digest of a dataset's records, equal for equal records."`
	Compare        compareCmd        `cmd:"" help:"Show what changed between two refs."`
	Rollback       rollbackCmd       `cmd:"" help:"Roll a commit back, or check whether that is possible."`
	Actions        actionsCmd        `cmd:"" help:"List who did what, or what a fork and its upstream have to merge."`
	Savepoint      savepointCmd      `cmd:"" help:"Bookmark a dataset's head, or list its savepoints."`
	Tag            tagCmd            `cmd:"" help:"Name a state of a dataset, or list its tags."`
	Revert         revertCmd         `cmd:"" help:"Revert a dataset to a savepoint."`
	Fork           forkCmd           `cmd:"" help:"Create a dataset that shares another's history."`
	Merge          mergeCmd          `cmd:"" help:"Play the actions of a fork, or of its upstream, on a dataset."`
	Export         exportCmd         `cmd:"" help:"Write a dataset's records, at any ref, to a file or to standard output."`
	DatasetVersion datasetVersionCmd `cmd:"" help:"Semantic versions of a dataset."`
	Retention      retentionCmd      `cmd:"" help:"Set or show which states of a dataset vacuum keeps."`
	Gates          gatesCmd          `cmd:"" help:"Checks that a dataset's commits, merges and versions must pass."`
	Vacuum         vacuumCmd         `cmd:"" help:"Remove what no kept state of a dataset and its forks sees."`
	Compact        compactCmd        `cmd:"" help:"Compact a dataset now, as the server does in the background."`
	Webhook        webhookCmd        `cmd:"" help:"Signed messages about what happens, to URLs."`
	Erase          eraseCmd          `cmd:"" help:"Erase records from all history of a dataset and its forks."`
	Token          tokenCmd          `cmd:"" help:"Make, list or revoke tokens."`
	Session        sessionCmd        `cmd:"" help:"List or end the sessions of those who have logged in."`
	User           userCmd           `cmd:"" help:"Add, change or remove users and their roles."`
	Project        projectCmd        `cmd:"" help:"Name, list or remove projects."`
	Audit          auditCmd          `cmd:"" help:"List entries of the audit log, or check it."`
	Backup         backupCmd         `cmd:"" help:"Back up a store with its whole history; list, prune and check backups."`
	Restore        restoreCmd        `cmd:"" help:"Make a store from a backup, or a dataset in a server."`
	Repair         repairCmd         `cmd:"" help:"Put damaged files of a store back from a backup, while no server has it open."`
	Check          checkCmd          `cmd:"" help:"Check a data directory, while no server has it open."`
	Health         healthCmd         `cmd:"" help:"Report whether a server can take a commit, for a supervisor."`
	Doctor         doctorCmd         `cmd:"" help:"Examine a data directory and the machine, and say what to do."`
}

// console is where a command writes.
type console struct {
	out, err io.Writer
}

// main runs the command line. A process that is started to read an upload never gets past ServeReader.
func main() {
	intake.ServeReader()
	os.Exit(run(os.Args[1:], console{os.Stdout, os.Stderr}))
}

// run runs one command line and returns its exit code: 0 for success, 1 or the command's own for failure, with one line
// on standard error.
func run(args []string, c console) (code int) {
	var p program
	exited := -1
	parser, err := kong.New(&p,
		kong.Name("rowback"),
		kong.Description("A versioning server for tabular datasets on Parquet. "+
			"Every flag of serve has an environment variable, ROWBACK_ and its name in capitals; of the other commands, "+
			"--server, --api-key, --project-id and --dataset have."),
		kong.DefaultEnvars("ROWBACK"), environment(),
		texts,
		kong.Writers(c.out, c.err),
		kong.Exit(func(n int) { exited = n; panic(exitNow{}) }),
		kong.UsageOnError(),
		kong.Bind(c),
		kong.BindTo(context.Background(), (*context.Context)(nil)),
	)
	if err != nil {
		fmt.Fprintln(c.err, "rowback:", err)
		return 1
	}
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(exitNow); !ok {
				panic(r)
			}
			code = exited
		}
	}()
	parsed, err := parser.Parse(args)
	if err != nil {
		err = fmt.Errorf("%w (see rowback --help)", err)
	} else {
		err = parsed.Run()
	}
	if err == nil {
		return 0
	}
	var refused *problem
	if errors.As(err, &refused) {
		showGateRecords(c.out, refused.Gates)
	}
	fmt.Fprintln(c.err, "rowback:", err)
	var exit exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return 1
}

// exitNow ends a command line that help or --version has answered.
type exitNow struct{}
