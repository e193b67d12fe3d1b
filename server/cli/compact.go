package cli

import (
	"fmt"

	"github.com/dustin/go-humanize"
)

// compactCmd compacts a dataset now, or says what that would do. The server does it by itself in the background.
type compactCmd struct {
	datasetFlags
	Plan bool `help:"Only show what it would do next."`
}

// compactedAnswer is what compaction did, or would do.
type compactedAnswer struct {
	Made  int64 `json:"files_made"`
	Read  int64 `json:"files_read"`
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`

	Filters int64 `json:"key_filters"`
}

// Run compacts a dataset.
func (cmd *compactCmd) Run(c console) error {
	var answer struct {
		Opened int             `json:"files_opened"`
		Next   compactedAnswer `json:"next,omitzero"`
		Done   compactedAnswer `json:"done,omitzero"`
	}
	if cmd.Plan {
		if err := cmd.get(cmd.path("upkeep"), cmd.query(), &answer); err != nil {
			return err
		}
		return c.answer(answer, func() { c.printf("next: %s; reading opens %s\n", answer.Next, countOf(answer.Opened, "file")) })
	}
	if err := cmd.post(cmd.path("upkeep"), cmd.query(), struct{}{}, &answer); err != nil {
		return err
	}
	return c.answer(answer, func() { c.printf("%s; reading opens %s\n", answer.Done, countOf(answer.Opened, "file")) })
}

// String says it in words.
func (a compactedAnswer) String() string {
	text := "nothing to compact"
	if a.Made > 0 {
		text = fmt.Sprintf("%s of %d (%s, %s)", countOf(a.Made, "file"), a.Read, countOf(a.Rows, "record"),
			humanize.Bytes(uint64(a.Bytes)))
	}
	if a.Filters > 0 {
		text += fmt.Sprintf("; key filters made: %d", a.Filters)
	}
	return text
}
