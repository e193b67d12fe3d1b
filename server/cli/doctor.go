package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rowback/rowback/server/conns"
	"github.com/rowback/rowback/server/doctor"
	"github.com/rowback/rowback/server/terminal"
	"github.com/rowback/rowback/storage"
)

// doctorCmd examines a data directory and the machine, whether a server runs or not.
type doctorCmd struct {
	Data        string `help:"Data directory." default:"rowback-data" type:"path"`
	MemoryLimit size   `help:"As of serve." placeholder:"SIZE"`
	MinFree     *size  `help:"As of serve." placeholder:"SIZE"`
	TLSCert     string `help:"As of serve." type:"path" placeholder:"FILE"`
	TLSKey      string `help:"As of serve." type:"path" placeholder:"FILE"`
	Catalog     string `help:"As of serve: the database is looked at, and which servers have it open." placeholder:"URL"`
	bucketFlags
}

// Help explains the exit codes.
func (cmd *doctorCmd) Help() string {
	return "The directory is not changed. Exit codes: 0 all is well or there are warnings, 1 something prevents the server " +
		"from working. rowback check reads the stored files themselves."
}

// Run prints what is found, with what to do about it.
func (cmd *doctorCmd) Run(c console, ctx context.Context) error {
	findings := doctor.Examine(ctx, cmd.subject())
	if c.json {
		if err := c.printJSON(map[string]any{"status": doctor.Worst(findings), "findings": findings}); err != nil {
			return err
		}
	} else if err := printFindings(c, findings); err != nil {
		return err
	}
	if doctor.Worst(findings) == doctor.Failed {
		return exitError{1, errors.New("the server would not work as it is")}
	}
	return nil
}

// subject is what the flags name.
func (cmd *doctorCmd) subject() doctor.Subject {
	memory := machineMemory()
	least := storage.DefaultMinFree(cmd.Data)
	if cmd.MinFree != nil {
		least = int64(*cmd.MinFree)
	}
	catalog := cmd.Catalog
	if catalog == storage.EmbeddedCatalog { // it is in the directory
		catalog = ""
	}
	descriptors := conns.Descriptors()
	return doctor.Subject{
		Dir: cmd.Data, Version: version, Memory: memory, MemoryLimit: cmp.Or(int64(cmd.MemoryLimit), memory/2),
		MinFree: least, Descriptors: descriptors, Connections: conns.DefaultOverall(descriptors),
		Cert: cmd.TLSCert, Key: cmd.TLSKey, Now: time.Now(), Catalog: catalog,
		Bucket: func(ctx context.Context) (string, error) { return storage.BucketStore(ctx, cmd.Data, cmd.at("")) },
	}
}

// printFindings prints each finding on a line, and what to do about it below.
func printFindings(c console, findings []doctor.Finding) error {
	width := 0
	for _, f := range findings {
		width = max(width, len(f.Check))
	}
	for _, f := range findings {
		style := map[doctor.Status]terminal.Style{doctor.Failed: terminal.Red, doctor.OK: terminal.Green}[f.Status]
		if style == "" {
			style = terminal.Yellow
		}
		c.printf("%s  %-*s  %s\n", c.styled(style, fmt.Sprintf("%-7s", f.Status)), width, f.Check, f.Detail)
		if f.Remedy != "" {
			c.printf("%*s  → %s\n", width+9, "", f.Remedy)
		}
	}
	return nil
}
