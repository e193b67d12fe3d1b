package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/server/terminal"
)

// lane is the commits of one dataset of a graph. A fork begins at a commit of its upstream, which is in the upstream's
// lane.
type lane struct {
	dataset datasetFlags
	name    string
	from    int64 // the lane that it forks from; -1: none
	fork    int64 // the commit that it forks at
	commits []graphCommit
}

// graphCommit is a commit as a graph has it.
type graphCommit struct {
	commitAnswer
	DatasetID string          `json:"dataset_id"`
	Params    json.RawMessage `json:"params"`
	Came      *int64          `json:"merge_commit_id"`
}

// drawGraph prints the commits of a dataset and of its forks, newest first, with a lane for each dataset.
func (cmd *logCmd) drawGraph(c console) error {
	lanes, err := cmd.lanes()
	if err != nil {
		return err
	}
	return c.paged(func(c console) error {
		for _, line := range drawn(c, lanes, cmd.Limit) {
			if _, err := fmt.Fprintln(c.out, line); err != nil {
				return err
			}
		}
		return nil
	})
}

// lanes reads the last commits of the dataset, and of its forks those since they were made.
func (cmd *logCmd) lanes() ([]lane, error) {
	var self datasetAnswer
	if err := cmd.get(cmd.path(), cmd.query(), &self); err != nil {
		return nil, err
	}
	first := lane{dataset: cmd.datasetFlags, name: self.Name, from: -1}
	forks, err := cmd.forks()
	if err != nil {
		return nil, err
	}
	lanes := []lane{first}
	for _, f := range forks {
		lanes = append(lanes, lane{
			dataset: datasetFlags{cmd.remote, f.ID, numbered(f.ProjectID)}, name: f.Name, from: 0, fork: *f.ForkCommit,
		})
	}
	for i := range lanes {
		if err := lanes[i].read(cmd.Limit); err != nil {
			return nil, err
		}
	}
	return lanes, nil
}

// read reads the lane's last commits, but for those that it has from its upstream, and those that are part of a merge.
func (l *lane) read(limit int) error {
	query := l.dataset.query()
	query.Set("limit", fmt.Sprint(limit))
	var list struct {
		Commits []graphCommit `json:"commits"`
	}
	if err := l.dataset.get(l.dataset.path("commits"), query, &list); err != nil {
		return err
	}
	l.commits = slices.DeleteFunc(list.Commits, func(k graphCommit) bool {
		return l.from >= 0 && k.ID <= l.fork || k.Came != nil
	})
	return nil
}

// source returns the id of the dataset that a merge took from.
func (k graphCommit) source() string {
	var params struct {
		Source string `json:"source"`
	}
	_ = json.Unmarshal(k.Params, &params) // of other commits there is none
	return params.Source
}

// graphRow is a commit in its lane.
type graphRow struct {
	graphCommit
	lane int
}

// drawn returns the lines of a graph. A lane is drawn from its first line to the commit that it forks at.
func drawn(c console, lanes []lane, limit int) (lines []string) {
	var rows []graphRow
	for i, l := range lanes {
		for _, k := range l.commits {
			rows = append(rows, graphRow{k, i})
		}
	}
	slices.SortFunc(rows, func(a, b graphRow) int { return int(b.ID - a.ID) })
	rows = rows[:min(limit, len(rows))]
	active := make([]bool, len(lanes))
	for _, r := range rows {
		for i, l := range lanes {
			if active[i] && l.from >= 0 && l.fork >= r.ID && r.lane != i {
				lines = append(lines, c.joint(active, int(l.from), i, "╯"))
				active[i] = false
			}
		}
		active[r.lane] = true
		lines = append(lines, c.graphLine(active, r, lanes))
		for i, l := range lanes {
			if i != r.lane && l.isOf(r.source()) {
				end := "╮"
				if active[i] {
					end = "┤"
				}
				lines = append(lines, c.joint(active, r.lane, i, end))
				active[i] = true
			}
		}
	}
	return lines
}

// isOf reports whether the lane is of a dataset.
func (l lane) isOf(id string) bool {
	return id != "" && (l.dataset.Dataset == id || slices.ContainsFunc(l.commits, func(k graphCommit) bool {
		return k.DatasetID == id
	}))
}

// laneStyles are the colours of lanes.
var laneStyles = []terminal.Style{
	terminal.Blue, terminal.Purple, terminal.Cyan, terminal.Green, terminal.Yellow, terminal.Red,
}

// inLane returns a mark in the colour of its lane.
func (c console) inLane(i int, mark string) string {
	return c.screen.Styled(laneStyles[i%len(laneStyles)], mark)
}

// joint draws where a lane leaves another, or comes back to it.
func (c console) joint(active []bool, from, to int, end string) string {
	var out strings.Builder
	for i := range active {
		mark, gap := " ", " "
		if active[i] {
			mark = "│"
		}
		low, high := min(from, to), max(from, to)
		switch {
		case i == from:
			mark = map[bool]string{true: "├", false: "┤"}[from < to]
		case i == to:
			mark = end
		case i > low && i < high && active[i]:
			mark = "┼"
		case i > low && i < high:
			mark = "─"
		}
		if i >= low && i < high {
			gap = "─"
		}
		out.WriteString(c.inLane(to, mark+gap))
	}
	return strings.TrimRight(out.String(), " ")
}

// graphLine draws a commit: a dot in its lane, then what it is.
func (c console) graphLine(active []bool, r graphRow, lanes []lane) string {
	var out strings.Builder
	for i := range active {
		mark := " "
		switch {
		case i == r.lane:
			mark = "●"
		case active[i]:
			mark = "│"
		}
		out.WriteString(c.inLane(i, mark) + " ")
	}
	space := 0
	text := fmt.Sprintf("%s  %s", r.mode(), r.changes())
	if c.screen.Width > 0 {
		space = max(1, c.screen.Width-2*len(active)-12)
	}
	if r.ID == newest(lanes[r.lane]) && len(lanes) > 1 {
		text = "[" + lanes[r.lane].name + "]  " + text
	}
	text += "  " + string(c.screen.Moment(terminal.Moment(r.CreatedAt))) + "  " + r.User
	if r.Message != "" {
		text += ": " + r.Message
	}
	id := c.screen.Styled(terminal.Yellow, fmt.Sprintf("%-6d", r.ID))
	return out.String() + id + " " + c.screen.Isolated(text, space)
}

// newest returns the lane's newest commit.
func newest(l lane) int64 {
	if len(l.commits) == 0 {
		return 0
	}
	return l.commits[0].ID
}
