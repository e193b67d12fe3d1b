package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
)

// gatesCmd is about the gates of a dataset.
type gatesCmd struct {
	List   listGatesCmd   `cmd:"" default:"withargs" help:"List the gates of a dataset (the default)."`
	Set    setGatesCmd    `cmd:"" help:"Add or replace a gate, or replace all with those of a file."`
	Remove removeGateCmd  `cmd:"" help:"Remove a gate."`
	Report reportGatesCmd `cmd:"" help:"Check a whole state against the gates; exit code 1 if one is not passed."`
}

// gateAnswer is a gate as the command line reads and sends it.
type gateAnswer struct {
	Name      string            `json:"name,omitempty"`
	Kind      string            `json:"kind"`
	When      []string          `json:"when,omitempty"`
	Action    string            `json:"action,omitempty"`
	Columns   []string          `json:"columns,omitempty"`
	Values    []json.RawMessage `json:"values,omitempty"`
	Minimum   json.RawMessage   `json:"minimum,omitempty"`
	Maximum   json.RawMessage   `json:"maximum,omitempty"`
	Of        string            `json:"of,omitempty"`
	Condition string            `json:"condition,omitempty"`
	Query     string            `json:"query,omitempty"`
}

// about says what the gate checks.
func (g gateAnswer) about() string {
	parts := []string{}
	if len(g.Columns) > 0 {
		parts = append(parts, strings.Join(g.Columns, ", "))
	}
	for _, v := range g.Values {
		parts = append(parts, string(v))
	}
	if g.Of != "" {
		parts = append(parts, g.Of)
	}
	if g.Minimum != nil {
		parts = append(parts, ">= "+string(g.Minimum))
	}
	if g.Maximum != nil {
		parts = append(parts, "<= "+string(g.Maximum))
	}
	return strings.Join(append(parts, g.Condition+g.Query), " ")
}

// gateAnswers is a list of gates.
type gateAnswers struct {
	Gates []gateAnswer `json:"gates"`
}

// print shows the gates.
func (l gateAnswers) print(c console, f formatFlag) error {
	return f.print(c, l, "GATE\tKIND\tWHEN\tACTION\tCHECKS", func(row func(...any)) {
		for _, g := range l.Gates {
			row(g.Name, g.Kind, strings.Join(g.When, ","), g.Action, g.about())
		}
	})
}

// listGatesCmd lists the gates of a dataset.
type listGatesCmd struct {
	datasetFlags
	formatFlag
}

// Run lists the gates.
func (cmd *listGatesCmd) Run(c console) error {
	var list gateAnswers
	if err := cmd.get(cmd.path("gates"), cmd.query(), &list); err != nil {
		return err
	}
	return list.print(c, cmd.formatFlag)
}

// setGatesCmd sets gates.
type setGatesCmd struct {
	datasetFlags
	formatFlag
	Name      string   `arg:"" optional:"" help:"The gate. Without it, --file has all gates."`
	File      string   `help:"${gates_file}" placeholder:"FILE"`
	Kind      string   `help:"${gate_kind}" placeholder:"KIND"`
	Columns   []string `help:"The columns that it is about." placeholder:"COLUMN"`
	Values    []string `help:"Of accepted_values: the values." placeholder:"VALUE"`
	Minimum   string   `help:"Of range, minimum_quality and row_count."`
	Maximum   string   `help:"Of range and row_count."`
	Of        string   `help:"Of minimum_quality: mean or record."`
	Condition string   `help:"Of condition: SQL that is not false for any record." placeholder:"SQL"`
	Query     string   `help:"${gate_query}" placeholder:"SQL"`
	When      []string `help:"commit, merge and version: what has to pass it. By default commit and merge."`
	Action    string   `help:"refuse or warn." default:"refuse"`
}

// Run sets the gates, and shows them.
func (cmd *setGatesCmd) Run(c console) error {
	if (cmd.Name == "") == (cmd.File == "") {
		return exitError{exitUsage, errors.New("name the gate and say its --kind, or give all gates in a --file")}
	}
	var list gateAnswers
	if cmd.File != "" {
		text, err := readGates(cmd.File)
		if err != nil {
			return err
		}
		if err := cmd.put(cmd.path("gates"), text, &list); err != nil {
			return err
		}
		return list.print(c, cmd.formatFlag)
	}
	text, err := json.Marshal(cmd.gate())
	if err != nil {
		return err
	}
	list.Gates = make([]gateAnswer, 1)
	if err := cmd.put(cmd.path("gates", cmd.Name), text, &list.Gates[0]); err != nil {
		return err
	}
	return list.print(c, cmd.formatFlag)
}

// gate returns the gate that the flags describe.
func (cmd *setGatesCmd) gate() gateAnswer {
	g := gateAnswer{
		Kind: cmd.Kind, When: cmd.When, Action: cmd.Action, Columns: cmd.Columns, Of: cmd.Of,
		Condition: cmd.Condition, Query: cmd.Query, Minimum: jsonValue(cmd.Minimum), Maximum: jsonValue(cmd.Maximum),
	}
	for _, v := range cmd.Values {
		g.Values = append(g.Values, jsonValue(v))
	}
	return g
}

// jsonValue returns what a flag says as JSON: a number where it is one, else a string; nil for nothing.
func jsonValue(text string) json.RawMessage {
	var n json.Number
	switch {
	case text == "":
		return nil
	case json.Unmarshal([]byte(text), &n) == nil && text[0] != '"':
		return json.RawMessage(text)
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string has JSON
	}
	return quoted
}

// readGates reads the file of all gates: what list prints as JSON, or the list alone.
func readGates(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		text = fmt.Appendf(nil, `{"gates": %s}`, text)
	}
	return text, nil
}

// put sends JSON and reads the answer into out.
func (d datasetFlags) put(path string, body []byte, out any) error {
	req, err := http.NewRequest(http.MethodPut, d.url(path, d.query()), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return d.json(req, out)
}

// removeGateCmd removes a gate.
type removeGateCmd struct {
	datasetFlags
	Name string `arg:"" help:"The gate."`
}

// Run removes the gate.
func (cmd *removeGateCmd) Run(c console) error {
	if err := cmd.call(http.MethodDelete, cmd.path("gates", cmd.Name), cmd.query(), nil, nil); err != nil {
		return err
	}
	return c.removed("gate", cmd.Name)
}

// reportGatesCmd reports which gates a state does not pass.
type reportGatesCmd struct {
	datasetFlags
	formatFlag
	Names []string `arg:"" optional:"" help:"The gates. By default all."`
	Ref   string   `help:"The state that is checked: ${refs}." default:"head"`
	From  string   `help:"What it is compared with. By default the state before the commit of --ref."`
}

// gateResult is what came of a gate.
type gateResult struct {
	Gate    string           `json:"gate"`
	Kind    string           `json:"kind"`
	Action  string           `json:"action"`
	Outcome string           `json:"outcome"`
	Detail  string           `json:"detail"`
	Failed  int64            `json:"failed_records"`
	Records []gateFailRecord `json:"records"`
}

// gateFailRecord is a record that fails a gate.
type gateFailRecord struct {
	Record int64              `json:"record,omitempty"`
	Key    map[string]string  `json:"key,omitempty"`
	Values map[string]*string `json:"values"`
}

// Run reports.
func (cmd *reportGatesCmd) Run(c console) error {
	var report struct {
		Passed  bool         `json:"passed"`
		Results []gateResult `json:"results"`
	}
	body := map[string]any{"ref": cmd.Ref, "gates": append([]string{}, cmd.Names...)}
	if cmd.From != "" {
		body["from"] = cmd.From
	}
	if err := cmd.post(cmd.path("gates", "report"), cmd.query(), body, &report); err != nil {
		return err
	}
	err := cmd.print(c, report, "GATE\tKIND\tACTION\tOUTCOME\tDETAIL", func(row func(...any)) {
		for _, r := range report.Results {
			row(r.Gate, r.Kind, r.Action, r.Outcome, r.Detail)
		}
	})
	if err == nil && cmd.Format == "table" {
		showGateRecords(c, report.Results)
	}
	if err == nil && !report.Passed {
		err = errors.New("not all gates are passed")
	}
	return err
}

// showGateRecords prints a line for each record that fails a gate.
func showGateRecords(c console, results []gateResult) {
	for _, r := range results {
		for _, one := range r.Records {
			c.printf("%s: %s\n", r.Gate, one)
		}
	}
}

// String is the record on one line.
func (r gateFailRecord) String() string {
	var parts []string
	if r.Record > 0 {
		parts = append(parts, fmt.Sprint("record ", r.Record))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Key)) {
		parts = append(parts, name+"="+r.Key[name])
	}
	for _, name := range slices.Sorted(maps.Keys(r.Values)) {
		value := "null"
		if v := r.Values[name]; v != nil {
			value = *v
		}
		parts = append(parts, name+"="+value)
	}
	return strings.Join(parts, ", ")
}
