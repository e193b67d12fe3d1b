package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
)

// diffCmd shows the records that differ between two refs.
type diffCmd struct {
	datasetFlags
	From      string   `arg:"" help:"The earlier ref: ${refs}."`
	To        string   `arg:"" help:"The later ref." default:"head"`
	ToDataset string   `help:"The fork or upstream that TO belongs to, instead of the dataset." placeholder:"NAME"`
	Change    []string `help:"Only records that were added, removed or modified." placeholder:"KIND"`
	Limit     int64    `help:"The most records to show; 0: all." default:"0"`
}

// Run shows the differences, one record after the other as they arrive.
func (cmd *diffCmd) Run(c console) error {
	query := cmd.query()
	for name, value := range map[string]string{
		"from": cmd.From, "to": cmd.To, "to_dataset": cmd.ToDataset, "change": strings.Join(cmd.Change, ","),
		"format": "ndjson", "limit": limitText(cmd.Limit),
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	req, err := http.NewRequest(http.MethodGet, cmd.url(cmd.path("diff"), query), nil)
	if err != nil {
		return err
	}
	res, err := cmd.send(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if c.json {
		return cmd.printList(c, res.Body)
	}
	return c.paged(func(c console) error { return cmd.showRecords(c, res.Body) })
}

// limitText returns a limit as a parameter; none for 0.
func limitText(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// lines yields the lines of the answer.
func (cmd *diffCmd) lines(body io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		in := bufio.NewReader(body)
		for {
			line, err := in.ReadBytes('\n')
			if len(line) > 0 && !yield(line, nil) || err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("the answer was cut short: %w", err))
				return
			}
		}
	}
}

// printList prints the records as a list in JSON, as they arrive.
func (cmd *diffCmd) printList(c console, body io.Reader) error {
	before, end := "[\n", "[]"
	for line, err := range cmd.lines(body) {
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(c.out, "%s%s", before, bytes.TrimSpace(line)); err != nil {
			return err
		}
		before, end = ",\n", "\n]"
	}
	_, err := fmt.Fprintln(c.out, end)
	return err
}

// showRecords prints each record that differs.
func (cmd *diffCmd) showRecords(c console, body io.Reader) error {
	differ := false
	for line, err := range cmd.lines(body) {
		if err == nil {
			err = showDifference(c, line)
		}
		if err != nil {
			return err
		}
		differ = true
	}
	if !differ {
		c.println("The two states have the same records.")
	}
	return nil
}
