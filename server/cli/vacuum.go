package cli

import (
	"fmt"

	"github.com/dustin/go-humanize"
)

// vacuumCmd removes what no kept state of a dataset and its forks sees, or says what that would be. The server does it
// by itself in the background.
type vacuumCmd struct {
	datasetFlags
	Plan bool `help:"Only show what it would remove, and what holds the rest." aliases:"dry-run"`
}

// vacuumAnswer is what vacuum removed, or would remove.
type vacuumAnswer struct {
	Commits  int64    `json:"commits_total"`
	Datasets []string `json:"datasets"`
	Rows     int64    `json:"rows"`
	Files    int64    `json:"files"`
	Written  int64    `json:"files_written"`
	Bytes    int64    `json:"bytes"`
	Left     struct {
		Files int64 `json:"files"`
		Rows  int64 `json:"rows"`
	} `json:"left"`
	HeldBy []struct {
		Name    string `json:"name"`
		Commits int64  `json:"commits"`
	} `json:"held_by"`
}

// Run vacuums a dataset and its forks.
func (cmd *vacuumCmd) Run(c console) error {
	var answer vacuumAnswer
	var err error
	if cmd.Plan {
		err = cmd.get(cmd.path("vacuum"), cmd.query(), &answer)
	} else {
		err = cmd.post(cmd.path("vacuum"), cmd.query(), struct{}{}, &answer)
	}
	if err != nil {
		return err
	}
	return c.answer(answer, func() {
		c.println(answer)
		for _, h := range answer.HeldBy {
			c.printf("  %s holds the states of %s\n", h.Name, countOf(h.Commits, "commit"))
		}
	})
}

// String says it in words.
func (a vacuumAnswer) String() string {
	if a.Commits == 0 && len(a.Datasets) == 0 {
		return "nothing to vacuum"
	}
	text := fmt.Sprintf("the states of %s, %s, %s (%s)", countOf(a.Commits, "commit"),
		countOf(a.Rows, "row"), countOf(a.Files+a.Written, "file"), humanize.Bytes(uint64(a.Bytes)))
	if len(a.Datasets) > 0 {
		text += "; " + countOf(len(a.Datasets), "deleted dataset")
	}
	if a.Left.Files > 0 {
		text += fmt.Sprintf("; kept: %s in %s of which little would go", countOf(a.Left.Rows, "row"),
			countOf(a.Left.Files, "file"))
	}
	return text
}
