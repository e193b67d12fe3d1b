package cli

import (
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/rowback/rowback/server/terminal"
)

// datasetVersionCmd is the command line of seed 000.
type datasetVersionCmd struct {
	ListVersions     listVersionsCmd     `cmd:"" help:"All versions of a dataset, the lowest number first."`
	CompareVersions  compareVersionsCmd  `cmd:"" help:"What changed between two versions."`
	Rollback         versionRollbackCmd  `cmd:"" help:"Roll a dataset back to a version."`
	IncrementVersion incrementVersionCmd `cmd:"" help:"Name the head with the next version."`
}

// versionedFlags has the flags that name a dataset in seed 000.
type versionedFlags struct {
	remote
	ProjectID   projectRef `help:"Project ID, or the project's name." required:"" aliases:"project" placeholder:"NAME"`
	DatasetName string     `help:"Dataset name." required:""`
}

// body adds the dataset to a request's body, where the routes of seed 000 have it.
func (v versionedFlags) body(more map[string]any) map[string]any {
	more["project_id"], more["dataset_name"] = v.ProjectID, v.DatasetName
	return more
}

const versionsPath = "/api/v1/datasets/versions"

// listVersionsCmd lists the versions of a dataset (seed 000, "Command Line Interface").
type listVersionsCmd struct {
	versionedFlags
	formatFlag
	digestsFlag
	All bool `help:"Include inactive versions."`
}

// Run lists versions.
func (cmd *listVersionsCmd) Run(c console) error {
	var list struct {
		Versions []struct {
			Version     string `json:"version"`
			Entries     int64  `json:"total_entries"`
			IsActive    bool   `json:"is_active"`
			CreatedAt   string `json:"created_at"`
			Description string `json:"description"`
			Digest      string `json:"digest,omitempty"`
		} `json:"versions"`
		Total int `json:"total"`
	}
	query := url.Values{
		"project_id": {fmt.Sprint(cmd.ProjectID)}, "dataset_name": {cmd.DatasetName}, "active_only": {fmt.Sprint(!cmd.All)},
	}
	if cmd.Digests {
		query.Set("digests", "true")
	}
	if err := cmd.get(versionsPath, query, &list); err != nil {
		return err
	}
	header := cmd.header("VERSION\tENTRIES\tACTIVE\tCREATED\tDESCRIPTION")
	return cmd.print(c, list, header, func(row func(...any)) {
		for _, v := range list.Versions {
			row(cmd.cells(v.Digest, v.Version, terminal.Count(v.Entries), v.IsActive, terminal.Moment(v.CreatedAt),
				v.Description)...)
		}
	})
}

// compareVersionsCmd compares two versions.
type compareVersionsCmd struct {
	versionedFlags
	formatFlag
	Version1 string `name:"version1" help:"The earlier version." required:""`
	Version2 string `name:"version2" help:"The later version." required:""`
}

// Run compares two versions.
func (cmd *compareVersionsCmd) Run(c console) error {
	var answer struct {
		Comparison comparison `json:"comparison"`
		Summary    string     `json:"summary"`
	}
	if err := cmd.post(versionsPath+"/compare", nil,
		cmd.body(map[string]any{"version1": cmd.Version1, "version2": cmd.Version2}), &answer); err != nil {
		return err
	}
	if cmd.Format == "table" && !c.json {
		c.println(answer.Summary)
	}
	return answer.Comparison.print(c, cmd.formatFlag, answer, "FROM "+cmd.Version1+"\tTO "+cmd.Version2)
}

// versionRollbackCmd rolls a dataset back to a version.
type versionRollbackCmd struct {
	versionedFlags
	TargetVersion string `help:"The version to go back to." required:""`
}

// Run rolls back to a version.
func (cmd *versionRollbackCmd) Run(c console) error {
	return say(c, cmd.remote, "/rollback", cmd.body(map[string]any{"target_version": cmd.TargetVersion}))
}

// incrementVersionCmd names a state with the next version.
type incrementVersionCmd struct {
	versionedFlags
	VersionType string `help:"${version_type}" enum:"major,minor,patch,auto" default:"patch"`
	Description string `short:"m" aliases:"message" placeholder:"TEXT" help:"What is new in it."`
	Ref         string `help:"What it names: ${refs}." default:"head"`
	Force       bool   `help:"Name the state although a version does already."`
	Lineage     string `help:"What the state was made from, as JSON or a file of it." placeholder:"FILE"`
}

// Run names the head.
func (cmd *incrementVersionCmd) Run(c console) error {
	body := map[string]any{
		"version_type": cmd.VersionType, "description": cmd.Description, "ref": cmd.Ref, "force": cmd.Force,
	}
	if cmd.Lineage != "" {
		made, err := readLineage(cmd.Lineage)
		if err != nil {
			return err
		}
		body["metadata"] = map[string]json.RawMessage{"lineage": made}
	}
	return say(c, cmd.remote, "/increment", cmd.body(body))
}

// say posts a request and prints the answer's message.
func say(c console, r remote, path string, body map[string]any) error {
	var answer struct {
		Message    string   `json:"message"`
		NewVersion string   `json:"new_version,omitempty"`
		Warnings   []string `json:"warnings,omitempty"`
	}
	if err := r.post(versionsPath+path, nil, body, &answer); err != nil {
		return err
	}
	return c.answer(answer, func() {
		c.println(answer.Message)
		for _, w := range answer.Warnings {
			c.println("warning:", w)
		}
	})
}
