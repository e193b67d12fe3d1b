package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/rowback/rowback/server/terminal"
)

// queryCmd runs SQL.
type queryCmd struct {
	remote
	SQL       string        `arg:"" optional:"" help:"One SELECT. Without it, you are asked for statements, or they are read from standard input."`
	File      string        `short:"f" help:"Read the statement from a file; - is standard input." placeholder:"FILE"`
	Param     []string      `help:"A value for the next ? of the statement; may be repeated." placeholder:"VALUE" sep:"none"`
	ProjectID projectRef    `help:"${sql_project}" default:"1" aliases:"project" placeholder:"NAME"`
	Format    string        `help:"table, csv, ndjson, json, arrow or parquet." enum:",table,csv,ndjson,json,arrow,parquet" default:"" placeholder:"FORMAT"`
	Output    string        `short:"o" help:"The file to write; its extension determines the format." placeholder:"FILE"`
	Limit     int64         `help:"The most rows; 0: all." default:"0"`
	Engine    string        `help:"spark: the engine of the server runs the statement, which is in Spark SQL." enum:"duckdb,spark" default:"duckdb" placeholder:"duckdb|spark"`
	Timeout   time.Duration `help:"How long the statement may take; by default as long as the server lets it." placeholder:"TIME"`
}

// Run runs a statement, or those that are typed.
func (cmd *queryCmd) Run(c console) error {
	if cmd.SQL != "" && cmd.File != "" {
		return exitError{exitUsage, errors.New("give the statement, or a --file that has it, and not both")}
	}
	if cmd.SQL == "" && cmd.File == "" && cmd.Output == "" && c.isInteractive() {
		return cmd.prompt(c)
	}
	if err := cmd.read(c); err != nil {
		return err
	}
	if strings.TrimSpace(cmd.SQL) == "" {
		return exitError{exitUsage, errors.New("there is no statement: give one, or name a --file")}
	}
	return cmd.runStatement(c, cmd.SQL)
}

// read reads the statement from a file or from standard input, unless the command line has it.
func (cmd *queryCmd) read(c console) error {
	var text []byte
	var err error
	switch {
	case cmd.SQL != "" && cmd.SQL != "-":
		return nil
	case cmd.File != "" && cmd.File != "-":
		text, err = os.ReadFile(cmd.File)
	case c.in != nil:
		text, err = io.ReadAll(c.in)
	}
	cmd.SQL = string(text)
	return err
}

// runStatement runs one statement and prints its result.
func (cmd *queryCmd) runStatement(c console, sql string) error {
	as, isTable, err := cmd.form(c)
	if err != nil {
		return err
	}
	res, err := cmd.ask(sql, as.format)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	switch {
	case isTable:
		err = c.paged(func(c console) error { return printArrow(c, res.Body) })
	case cmd.Output != "":
		err = save(c, cmd.Output, res, as)
	default:
		_, err = io.Copy(c.out, res.Body)
	}
	if err != nil {
		return fmt.Errorf("the answer was cut short: %w", err)
	}
	if cut := res.Header.Get("X-Rowback-Truncated") + res.Trailer.Get("X-Rowback-Truncated"); cut == "bytes" {
		return errors.New("the result was cut, because it is larger than the server sends: choose fewer rows or columns")
	}
	return nil
}

// form returns how the result is printed: as a table, or in a format of the server's.
func (cmd *queryCmd) form(c console) (as ending, isTable bool, err error) {
	format := cmd.Format
	switch {
	case format == "" && cmd.Output != "":
		as, err = endingOf(cmd.Output, "")
		return as, false, err
	case format == "" && c.json:
		format = "json"
	case format == "" || format == "table":
		return ending{format: "arrow"}, true, nil
	}
	if cmd.Output == "" {
		return ending{format: format}, false, nil
	}
	as, err = endingOf(cmd.Output, format)
	return as, false, err
}

// ask sends a statement.
func (cmd *queryCmd) ask(sql, format string) (*http.Response, error) {
	body := map[string]any{"sql": sql, "project_id": cmd.ProjectID, "format": format}
	if cmd.Engine == "spark" {
		body["engine"] = cmd.Engine
	}
	if cmd.Limit > 0 {
		body["limit"] = cmd.Limit
	}
	if cmd.Timeout > 0 {
		body["timeout_ms"] = cmd.Timeout.Milliseconds()
	}
	if len(cmd.Param) > 0 {
		params := make([]json.RawMessage, len(cmd.Param))
		for i, text := range cmd.Param {
			params[i] = jsonValue(text)
		}
		body["params"] = params
	}
	req, err := cmd.request(http.MethodPost, "/api/v1/query", nil, body)
	if err != nil {
		return nil, err
	}
	return cmd.send(req)
}

// rowsMeasured is how many rows decide how wide the columns of a result are.
const rowsMeasured = 1000

// printArrow prints an Arrow stream as tables: one, or one for each thousand rows of a long result.
func printArrow(c console, body io.Reader) error {
	in, err := ipc.NewReader(body)
	if err != nil {
		return err
	}
	defer in.Release()
	fields := in.Schema().Fields()
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	t, waiting, rows := c.screen.NewTable(names...).MayDrop(), 0, int64(0)
	flush := func() error {
		err := t.Print(c.out)
		t, waiting = t.Next(), 0
		return err
	}
	for in.Next() {
		batch := in.RecordBatch()
		for row := range int(batch.NumRows()) {
			t.Row(valuesAt(batch, row)...)
			rows++
			if waiting++; waiting == rowsMeasured {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	if err := errors.Join(in.Err(), drained(body)); err != nil {
		return err
	}
	if waiting > 0 || rows == 0 {
		if err := flush(); err != nil {
			return err
		}
	}
	if c.screen.Human {
		c.printf("%s\n", c.styled(terminal.Faint, countOf(rows, "row")))
	}
	return nil
}

// drained reads what is left, so that an answer that was cut is noticed.
func drained(body io.Reader) error {
	_, err := io.Copy(io.Discard, body)
	return err
}

// valuesAt returns a row of a batch as the cells of a table.
func valuesAt(batch arrow.RecordBatch, row int) []any {
	cells := make([]any, batch.NumCols())
	for i := range cells {
		column := batch.Column(i)
		text := column.ValueStr(row)
		switch {
		case column.IsNull(row):
			cells[i] = terminal.Colored{Style: terminal.Faint, Value: "null"}
		case isNumber(column.DataType()):
			cells[i] = terminal.Number(text)
		default:
			cells[i] = text
		}
	}
	return cells
}

// isNumber reports whether values of a type are aligned by their last digit.
func isNumber(t arrow.DataType) bool {
	return arrow.IsInteger(t.ID()) || arrow.IsFloating(t.ID()) || arrow.IsDecimal(t.ID())
}
