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
			c.printf("  %s holds the states of %d commits\n", h.Name, h.Commits)
		}
	})
}

// String says it in words.
func (a vacuumAnswer) String() string {
	if a.Commits == 0 && len(a.Datasets) == 0 {
		return "nothing to vacuum"
	}
	text := fmt.Sprintf("the states of %d commits, %d rows, %d files (%s)",
		a.Commits, a.Rows, a.Files+a.Written, humanize.Bytes(uint64(a.Bytes)))
	if len(a.Datasets) > 0 {
		text += fmt.Sprintf("; %d deleted datasets", len(a.Datasets))
	}
	if a.Left.Files > 0 {
		text += fmt.Sprintf("; %d rows stay in %d files of which little would go", a.Left.Rows, a.Left.Files)
	}
	return text
}
