// Package cli is the program: the server that it starts, and the command line that talks to one.
package cli

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/rowback/rowback/storage/intake"
)

// version is set when a release is built.
var version = "0.1.0"

// program is the command line. Each command has its own file.
type program struct {
	ShowVersion kong.VersionFlag `name:"version" help:"Print the version and exit." group:"Global flags"`
	shownFlags  `embed:""`

	Dataset  datasetCmd  `cmd:"" group:"data" help:"List, create, show, edit, rename, delete or undelete datasets."`
	Commit   importCmd   `cmd:"" group:"data" aliases:"import" help:"Commit files of records to a dataset."`
	Query    queryCmd    `cmd:"" group:"data" help:"Run SQL over datasets at any ref, or type it at a prompt."`
	Export   exportCmd   `cmd:"" group:"data" help:"Write the records at any ref to a file or standard output."`
	Variable variableCmd `cmd:"" group:"data" help:"List, show, create, edit or delete columns."`
	Digest   digestCmd   `cmd:"" group:"data" help:"Print a digest of a dataset's records, equal for equal records."`

	Log      logCmd      `cmd:"" group:"history" help:"List a dataset's commits, newest first, or draw their graph."`
	Show     showCmd     `cmd:"" group:"history" help:"Show one commit: what it did, and what it was for."`
	History  historyCmd  `cmd:"" group:"history" help:"List the commits that changed one record, newest first."`
	Lineage  lineageCmd  `cmd:"" group:"history" help:"Show what datasets were made from, and what was made from a file."`
	Diff     diffCmd     `cmd:"" group:"history" help:"Show which records differ between two refs, value by value."`
	Compare  compareCmd  `cmd:"" group:"history" help:"Show how much changed between two refs."`
	Rollback rollbackCmd `cmd:"" group:"history" help:"Undo a commit, or check whether that is possible."`
	Restore  restoreCmd  `cmd:"" group:"history" help:"Take a dataset back to the state at a ref, as one commit."`

	Version   versionCmd   `cmd:"" group:"names" help:"Versions of a dataset; alone, the version of this program."`
	Savepoint savepointCmd `cmd:"" group:"names" help:"Bookmark a dataset's head; list, describe, revert to savepoints."`
	Revert    revertCmd    `cmd:"" group:"names" help:"Revert a dataset to a savepoint."`
	Tag       tagCmd       `cmd:"" group:"names" help:"Name states of a dataset; list, move, delete tags."`

	Fork     forkCmd     `cmd:"" group:"together" help:"Create or list datasets that share another's history."`
	Comment  commentCmd  `cmd:"" group:"together" help:"Comment on what differs between two refs."`
	Proposal proposalCmd `cmd:"" group:"together" help:"Propose merges; discuss, approve and merge proposals."`
	Merge    mergeCmd    `cmd:"" group:"together" help:"Play the actions of a fork, or of its upstream, on a dataset."`
	Actions  actionsCmd  `cmd:"" group:"together" help:"List who did what, or what a fork and its upstream have to merge."`

	Gates     gatesCmd     `cmd:"" group:"care" aliases:"gate" help:"Checks that a dataset's commits, merges and versions must pass."`
	Retention retentionCmd `cmd:"" group:"care" help:"Set or show which states of a dataset vacuum keeps."`
	Vacuum    vacuumCmd    `cmd:"" group:"care" help:"Remove what no kept state of a dataset and its forks sees."`
	Upkeep    compactCmd   `cmd:"" group:"care" aliases:"compact" help:"Compact a dataset now, as the server does in the background."`
	Erase     eraseCmd     `cmd:"" group:"care" help:"Erase records from all history of a dataset and its forks."`

	Serve   serveCmd   `cmd:"" group:"server" help:"Run the server."`
	Health  healthCmd  `cmd:"" group:"server" help:"Report whether a server can take a commit, for a supervisor."`
	Project projectCmd `cmd:"" group:"server" help:"List, name, rename or delete projects."`
	User    userCmd    `cmd:"" group:"server" help:"Add, change or remove users and their roles."`
	Token   tokenCmd   `cmd:"" group:"server" help:"Make, list or revoke tokens."`
	Session sessionCmd `cmd:"" group:"server" help:"List or end the sessions of those who have logged in to the pages."`
	Webhook webhookCmd `cmd:"" group:"server" help:"Signed messages about what happens, to URLs."`
	Audit   auditCmd   `cmd:"" group:"server" help:"List entries of the audit log, or check it."`
	Backup  backupCmd  `cmd:"" group:"server" help:"Back up a store; list, prune, check, restore backups."`
	Copy    copyCmd    `cmd:"" group:"server" help:"Copy a store to a directory, or to a database and a bucket."`
	Repair  repairCmd  `cmd:"" group:"server" help:"Put damaged files of a store back from a backup."`
	Check   checkCmd   `cmd:"" group:"server" help:"Check a data directory, while no server has it open."`
	Doctor  doctorCmd  `cmd:"" group:"server" help:"Examine a data directory and the machine, and say what to do."`

	Login      loginCmd      `cmd:"" group:"you" help:"Keep a server and your token, so that commands need not name them."`
	Logout     logoutCmd     `cmd:"" group:"you" help:"Forget a server and your token."`
	Profiles   profileCmd    `cmd:"" name:"profile" group:"you" help:"List the profiles that login keeps, or choose one."`
	Completion completionCmd `cmd:"" group:"you" help:"Print a script for the shell that completes commands with Tab."`
	Help       helpCmd       `cmd:"" group:"you" help:"List all commands, or explain one."`

	DatasetVersion datasetVersionCmd `cmd:"" hidden:"" help:"Semantic versions of a dataset, by name and number."`
	Man            manCmd            `cmd:"" hidden:"" help:"Write the manual pages to a directory."`
	Complete       completeCmd       `cmd:"" hidden:"" name:"__complete" passthrough:"" help:"Print completions, for the scripts of completion."`
}

// groups are the groups of commands, in the order of the help.
var groups = []kong.Group{
	{Key: "data", Title: "Data"},
	{Key: "history", Title: "History"},
	{Key: "names", Title: "Names"},
	{Key: "together", Title: "Together"},
	{Key: "care", Title: "Care"},
	{Key: "server", Title: "Server"},
	{Key: "you", Title: "You"},
}

// Main runs the command line, and ends the process. One that is started to read an upload never gets past ServeReader.
func Main() {
	intake.ServeReader()
	os.Exit(run(os.Args[1:], console{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// newParser returns the parser of the command line, whose --help and --version end it with exit.
func newParser(p *program, c console, exit func(int)) (*kong.Kong, error) {
	return kong.New(p,
		kong.Name("rowback"),
		kong.Description("Rowback keeps the history of tabular datasets on Parquet."),
		kong.DefaultEnvars("ROWBACK"), environment(),
		texts,
		kong.ExplicitGroups(groups),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 80}),
		kong.Help(help),
		kong.Writers(c.out, c.err),
		kong.Exit(exit),
		kong.BindTo(context.Background(), (*context.Context)(nil)),
	)
}

// run runs one command line and returns its exit code: 0 for success, for failure what exit.go lists, with one line on
// standard error.
func run(args []string, c console) (code int) {
	var p program
	exited := -1
	parser, err := newParser(&p, c, func(n int) { exited = n; panic(exitNow{}) })
	if err != nil {
		c.fail(err)
		return exitFailed
	}
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(exitNow); !ok {
				panic(r)
			}
			code = exited
		}
	}()
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		c.fail(misread(parser, args, err))
		return exitUsage
	}
	c = p.as(c)
	if err = connect(parsed); err == nil {
		err = parsed.Run(c)
	}
	var refused *problem
	if errors.As(err, &refused) {
		showGateRecords(c, refused.Gates)
	}
	if err != nil {
		c.fail(err)
	}
	return exitCodeOf(err)
}

// connect has the command that was chosen decide which server it talks to, if it talks to one.
func connect(parsed *kong.Context) error {
	node := parsed.Selected()
	if node == nil || !node.Target.CanAddr() {
		return nil
	}
	if client, ok := node.Target.Addr().Interface().(interface{ connect() error }); ok {
		return client.connect()
	}
	return nil
}

// commandOf returns the words of the command that args name, as far as they do, for hints.
func commandOf(parser *kong.Kong, args []string) string { return commandPath(nodeOf(parser, args)) }

// nodeOf returns the command that args name, as far as they do.
func nodeOf(parser *kong.Kong, args []string) *kong.Node {
	node := parser.Model.Node
	for _, arg := range args {
		next := childOf(node, arg)
		if next == nil {
			break
		}
		node = next
	}
	return node
}

// childOf returns the command below a node with a name or an alias; nil if there is none.
func childOf(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name || slices.Contains(child.Aliases, name) {
			return child
		}
	}
	return nil
}

// exitNow ends a command line that help or --version has answered.
type exitNow struct{}
