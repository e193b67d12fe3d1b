package cli

import (
	"runtime/debug"
)

// versionCmd is about the versions of a dataset. Alone, it prints that of the program.
type versionCmd struct {
	Program  programVersionCmd `cmd:"" default:"1" help:"Print the version of this program (the default)."`
	List     versionListCmd    `cmd:"" help:"List the versions of a dataset, the lowest number first."`
	Create   versionCreateCmd  `cmd:"" help:"Name a state of a dataset with the next version."`
	Compare  versionCompareCmd `cmd:"" help:"Show how much changed between two versions, in words and numbers."`
	Rollback versionBackCmd    `cmd:"" help:"Roll a dataset back to a version."`
}

// programVersionCmd prints the version of the program.
type programVersionCmd struct{}

// Run prints the version, and what the program was built from if that is known.
func (programVersionCmd) Run(c console) error {
	answer := map[string]string{"version": version}
	info, ok := debug.ReadBuildInfo()
	if ok {
		answer["go"] = info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				answer["revision"] = s.Value
			}
		}
	}
	return c.answer(answer, func() {
		c.printf("rowback %s\n", version)
		for _, name := range []string{"revision", "go"} {
			if answer[name] != "" {
				c.printf("%s %s\n", name, answer[name])
			}
		}
	})
}

// versioned returns the dataset as the commands of seed 000 name it.
func (d datasetFlags) versioned() versionedFlags {
	return versionedFlags{d.remote, d.ProjectID, d.Dataset}
}

// versionListCmd lists versions.
type versionListCmd struct {
	datasetFlags
	formatFlag
	digestsFlag
	All bool `help:"Include inactive versions."`
}

// Run lists versions.
func (cmd *versionListCmd) Run(c console) error {
	return (&listVersionsCmd{cmd.versioned(), cmd.formatFlag, cmd.digestsFlag, cmd.All}).Run(c)
}

// versionCreateCmd names a state with the next version.
type versionCreateCmd struct {
	datasetFlags
	Type        string `help:"${version_type}" enum:"major,minor,patch,auto" default:"patch"`
	Description string `short:"m" aliases:"message" placeholder:"TEXT" help:"What is new in it."`
	Ref         string `help:"What it names: ${refs}." default:"head"`
	Force       bool   `help:"Name the state although a version does already."`
	Lineage     string `help:"What the state was made from, as JSON or a file of it." placeholder:"FILE"`
}

// Run names a state.
func (cmd *versionCreateCmd) Run(c console) error {
	return (&incrementVersionCmd{
		cmd.versioned(), cmd.Type, cmd.Description, cmd.Ref, cmd.Force, cmd.Lineage,
	}).Run(c)
}

// versionCompareCmd compares two versions.
type versionCompareCmd struct {
	datasetFlags
	formatFlag
	From string `arg:"" help:"The earlier version."`
	To   string `arg:"" help:"The later version."`
}

// Run compares.
func (cmd *versionCompareCmd) Run(c console) error {
	return (&compareVersionsCmd{cmd.versioned(), cmd.formatFlag, cmd.From, cmd.To}).Run(c)
}

// versionBackCmd rolls a dataset back to a version.
type versionBackCmd struct {
	datasetFlags
	Version string `arg:"" help:"The version to go back to."`
}

// Run rolls back.
func (cmd *versionBackCmd) Run(c console) error {
	return (&versionRollbackCmd{cmd.versioned(), cmd.Version}).Run(c)
}
