package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/rowback/rowback/server/terminal"
	"github.com/rowback/rowback/storage/lineage"
)

// lineageCmd shows what datasets were made from.
type lineageCmd struct {
	Show  lineageShowCmd  `cmd:"" default:"withargs" help:"Show what a state was made from (the default)."`
	Graph lineageGraphCmd `cmd:"" help:"Show which datasets a state was made from, and which were made from it."`
	Find  lineageFindCmd  `cmd:"" help:"Find what was made from a file, a dataset, a model or a parameter."`
}

// lineageShowCmd shows what a state was made from.
type lineageShowCmd struct {
	datasetFlags
	formatFlag
	Ref string `arg:"" help:"Which state: ${refs}." default:"head"`
}

// Run shows what a state was made from.
func (cmd *lineageShowCmd) Run(c console) error {
	query := cmd.query()
	query.Set("ref", cmd.Ref)
	var made struct {
		DatasetID  string          `json:"dataset_id"`
		Commit     int64           `json:"commit"`
		Lineage    lineage.Lineage `json:"lineage"`
		Commits    []int64         `json:"commits"`
		Versions   []string        `json:"versions"`
		IsComplete bool            `json:"is_complete"`
	}
	if err := cmd.get(cmd.path("lineage"), query, &made); err != nil {
		return err
	}
	return cmd.print(c, made, "MADE FROM\tWHAT", func(row func(...any)) {
		for _, line := range linesOf(made.Lineage) {
			row(line[0], line[1])
		}
		if !made.IsComplete {
			row("", "and more: older commits are left out")
		}
	})
}

// linesOf returns what a lineage has, each with what kind of thing it is.
func linesOf(l lineage.Lineage) (lines [][2]string) {
	add := func(kind string, parts ...string) {
		lines = append(lines, [2]string{kind, strings.Join(nonEmpty(parts), "  ")})
	}
	for _, s := range l.Sources {
		add("file", s.Name, sizeOf(s.Size), labelled("sha256", s.SHA256), labelled("md5", s.MD5), s.URI, s.Description)
	}
	for _, i := range l.Inputs {
		commit := fmt.Sprint(i.CommitID)
		if i.Ref == commit {
			commit = "" // its name says so
		}
		add("dataset", inputName(i), labelled("commit", commit))
	}
	for _, m := range l.Models {
		add("model", m.Name, m.Version, m.Provider, labelled("sha256", m.SHA256), m.URI)
	}
	for _, p := range l.Prompts {
		add("prompt", p.Name, p.Role, labelled("sha256", p.SHA256), p.Text)
	}
	for _, name := range sorted(l.Parameters) {
		add("parameter", name+" = "+string(l.Parameters[name]))
	}
	if c := l.Code; c != nil {
		add("code", c.Repository, c.Commit, c.Path, c.Version)
	}
	if r := l.Run; r != nil {
		add("run", r.Job, r.ID, r.URI)
	}
	for _, name := range sorted(l.Extra) {
		add(name, string(l.Extra[name]))
	}
	return lines
}

// inputName is an input as it is given.
func inputName(i lineage.Input) string {
	if i.Ref == "" {
		return i.Dataset
	}
	return i.Dataset + "@" + i.Ref
}

// sizeOf is a number of bytes; empty: it is not known.
func sizeOf(n *int64) string {
	if n == nil {
		return ""
	}
	return countOf(*n, "byte")
}

func labelled(label, text string) string {
	if text == "" {
		return ""
	}
	return label + " " + text
}

func nonEmpty(list []string) (out []string) {
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// shortLineage is what a commit was made from, in a cell of a table: names alone.
func shortLineage(metadata json.RawMessage) string {
	l := lineage.Of(metadata)
	if l == nil {
		return ""
	}
	var names []string
	for _, s := range l.Sources {
		names = append(names, s.Name)
	}
	for _, i := range l.Inputs {
		names = append(names, inputName(i))
	}
	for _, m := range l.Models {
		names = append(names, m.Name)
	}
	if len(names) == 0 { // its other members, by their kinds
		for _, line := range linesOf(*l) {
			names = append(names, line[0])
		}
		names = slices.Compact(names)
	}
	return strings.Join(names, ", ")
}

// lineageGraphCmd shows the datasets that a state was made from, and those made from it.
type lineageGraphCmd struct {
	datasetFlags
	formatFlag
	Ref       string `arg:"" help:"Which state: ${refs}. By default the head, and what was made from any state." optional:""`
	Direction string `help:"upstream: what it was made from; downstream: what was made from it." enum:"upstream,downstream,both" default:"both"`
	Depth     int    `help:"How many steps." default:"3"`
}

// lineageGraph is a graph as the command line shows it.
type lineageGraph struct {
	Nodes []struct {
		DatasetID string `json:"dataset_id"`
		Dataset   string `json:"dataset"`
		ProjectID int64  `json:"project_id"`
		Commit    int64  `json:"commit"`
		Version   string `json:"version,omitempty"`
		IsGone    bool   `json:"is_gone,omitempty"`
	} `json:"nodes"`
	Edges []struct {
		From   int   `json:"from"`
		To     int   `json:"to"`
		Commit int64 `json:"commit"`
	} `json:"edges"`
	IsCut bool `json:"is_cut"`
}

// Run shows the graph as its edges.
func (cmd *lineageGraphCmd) Run(c console) error {
	query := cmd.query()
	query.Set("direction", cmd.Direction)
	query.Set("depth", fmt.Sprint(cmd.Depth))
	if cmd.Ref != "" {
		query.Set("ref", cmd.Ref)
	}
	var g lineageGraph
	if err := cmd.get(cmd.path("lineage", "graph"), query, &g); err != nil {
		return err
	}
	return cmd.print(c, g, "DATASET\tWAS MADE FROM\tAS COMMIT SAYS", func(row func(...any)) {
		for _, e := range g.Edges {
			row(g.name(e.To), g.name(e.From), e.Commit)
		}
		if g.IsCut {
			row("…", "there is more: ask for a greater --depth", "")
		}
	})
}

// name is a node as people read it.
func (g lineageGraph) name(n int) string {
	node := g.Nodes[n]
	name := fmt.Sprintf("%s@%d", node.Dataset, node.Commit)
	if node.Version != "" {
		name = node.Dataset + "@" + node.Version
	}
	if node.IsGone {
		name += " (gone)"
	}
	return name
}

// lineageFindCmd finds what was made from something.
type lineageFindCmd struct {
	remote
	formatFlag
	File      string     `arg:"" optional:"" help:"A file on this machine, which is looked for by its checksum, whatever its name was."`
	Source    string     `help:"The name or the URI of a file."`
	SHA256    string     `name:"sha256" help:"The checksum of a file, of a model's weights, or of a prompt."`
	Input     string     `help:"A dataset, or one at a ref, as in employees@1.0.1." placeholder:"DATASET[@REF]"`
	Model     string     `help:"A model, or one of a version, as in resnet@50." placeholder:"NAME[@VERSION]"`
	Prompt    string     `help:"The name of a prompt."`
	Parameter string     `help:"A parameter, or one with a value, as in epochs=10." placeholder:"NAME[=VALUE]"`
	Code      string     `help:"A repository, or a commit of one."`
	RunID     string     `name:"run" help:"A job, or the id of a run."`
	ProjectID projectRef `help:"Only in this project, which the input's name is of too." aliases:"project" placeholder:"NAME"`
	Limit     int        `help:"How many to list." default:"20"`
}

// madeAnswer is something that was found, as the command line shows it.
type madeAnswer struct {
	DatasetID string          `json:"dataset_id"`
	Dataset   string          `json:"dataset"`
	ProjectID int64           `json:"project_id"`
	Commit    int64           `json:"commit"`
	Version   string          `json:"version,omitempty"`
	Status    string          `json:"status"`
	User      string          `json:"user"`
	CreatedAt string          `json:"created_at"`
	Message   string          `json:"message"`
	Lineage   json.RawMessage `json:"lineage"`
}

// Run lists what is found.
func (cmd *lineageFindCmd) Run(c console) error {
	query := url.Values{"limit": {fmt.Sprint(cmd.Limit)}}
	if cmd.File != "" {
		sum, err := fileSum(cmd.File)
		if err != nil {
			return err
		}
		if cmd.SHA256 != "" {
			return exitError{exitUsage, errors.New("a file and --sha256 both say which checksum to look for: give one of them")}
		}
		cmd.SHA256 = sum
	}
	for name, value := range map[string]string{
		"source": cmd.Source, "sha256": cmd.SHA256, "input": cmd.Input, "model": cmd.Model, "prompt": cmd.Prompt,
		"parameter": cmd.Parameter, "code": cmd.Code, "run": cmd.RunID, "project_id": fmt.Sprint(cmd.ProjectID),
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	var found struct {
		Found []madeAnswer `json:"found"`
	}
	if err := cmd.get("/api/v1/lineage", query, &found); err != nil {
		return err
	}
	return cmd.print(c, found.Found, "DATASET\tPROJECT\tCOMMIT\tVERSION\tSTATUS\tWHEN\tUSER\tMESSAGE", func(row func(...any)) {
		for _, m := range found.Found {
			row(m.Dataset, m.ProjectID, m.Commit, m.Version, m.Status, terminal.Moment(m.CreatedAt), m.User, m.Message)
		}
	})
}

// lineageRows lists how what two states were made from differs.
func lineageRows(d lineage.Differences, row func(...any)) {
	changeRows("file", d.Sources, row, func(l *lineage.Lineage, s lineage.Source) { l.Sources = append(l.Sources, s) })
	changeRows("dataset", d.Inputs, row, func(l *lineage.Lineage, i lineage.Input) { l.Inputs = append(l.Inputs, i) })
	changeRows("model", d.Models, row, func(l *lineage.Lineage, m lineage.Model) { l.Models = append(l.Models, m) })
	changeRows("prompt", d.Prompts, row, func(l *lineage.Lineage, p lineage.Prompt) { l.Prompts = append(l.Prompts, p) })
	for _, name := range sorted(d.Parameters) {
		was, is := string(d.Parameters[name].From), string(d.Parameters[name].To)
		row("parameter "+name, valueOrNone(was)+" -> "+valueOrNone(is))
	}
	one := func(l lineage.Lineage) string {
		for _, line := range linesOf(l) {
			return line[1]
		}
		return "none"
	}
	if d.Code != nil {
		row("code", one(lineage.Lineage{Code: d.Code.From})+" -> "+one(lineage.Lineage{Code: d.Code.To}))
	}
	if d.Run != nil {
		row("run", one(lineage.Lineage{Run: d.Run.From})+" -> "+one(lineage.Lineage{Run: d.Run.To}))
	}
}

// changeRows lists how two lists of a lineage differ. put puts an element into a lineage, for its text.
func changeRows[T any](kind string, c *lineage.Changes[T], row func(...any), put func(*lineage.Lineage, T)) {
	if c == nil {
		return
	}
	text := func(one T) string {
		var l lineage.Lineage
		put(&l, one)
		return linesOf(l)[0][1]
	}
	for _, one := range c.Added {
		row(kind+" added", text(one))
	}
	for _, one := range c.Removed {
		row(kind+" removed", text(one))
	}
	for _, pair := range c.Changed {
		row(kind+" changed", text(pair.From)+" -> "+text(pair.To))
	}
}

// valueOrNone is a value, or none where it is missing or null.
func valueOrNone(text string) string {
	if text == "" || text == "null" {
		return "none"
	}
	return text
}

// fileSum returns the SHA-256 of a file.
func fileSum(name string) (string, error) {
	f, err := os.Open(name) // #nosec G304 -- the user names it
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// readLineage returns the lineage of a flag: JSON, or a file of it.
func readLineage(flag string) (json.RawMessage, error) {
	text := []byte(flag)
	if !strings.HasPrefix(strings.TrimSpace(flag), "{") {
		var err error
		if text, err = os.ReadFile(flag); err != nil { // #nosec G304 -- the user names it
			return nil, exitError{exitUsage, fmt.Errorf("--lineage: %w. Give an object of JSON, which begins with {, "+
				"or the name of a file of it", err)}
		}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, exitError{exitUsage, fmt.Errorf("--lineage %s is not JSON: %w", flag, err)}
	}
	return compact.Bytes(), nil
}
