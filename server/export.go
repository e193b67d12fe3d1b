package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

type exportCmd struct {
	datasetFlags
	Ref     string `help:"Which state: ${refs}." default:"head"`
	Output  string `short:"o" help:"The file to write; its extension determines the format. - is standard output." default:"-"`
	Format  string `help:"arrow, parquet, csv, ndjson or json." enum:",arrow,parquet,csv,ndjson,json" default:""`
	Columns string `help:"Names, comma-separated."`
	Where   string `help:"A SQL condition."`
	OrderBy string `help:"Names, comma-separated."`
	Limit   int64  `help:"The most records to export; 0: all." default:"0"`
}

var formatOf = map[string]string{
	".arrow": "arrow", ".arrows": "arrow", ".parquet": "parquet", ".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson",
	".json": "json",
}

// Run exports.
func (cmd *exportCmd) Run(c console) error {
	query := cmd.query()
	format := cmd.Format
	if format == "" {
		format = formatOf[strings.ToLower(filepath.Ext(cmd.Output))]
	}
	if format == "" {
		format = "csv"
	}
	for name, value := range map[string]string{
		"ref": cmd.Ref, "format": format, "columns": cmd.Columns, "where": cmd.Where, "order_by": cmd.OrderBy,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if cmd.Limit > 0 {
		query.Set("limit", fmt.Sprint(cmd.Limit))
	}
	req, err := http.NewRequest(http.MethodGet, cmd.url(cmd.path("data"), query), nil)
	if err != nil {
		return err
	}
	res, err := cmd.send(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if cmd.Output == "-" {
		_, err := io.Copy(c.out, res.Body)
		return err
	}
	return save(c, cmd.Output, res)
}

// save writes an answer to a file, which appears once it is complete.
func save(c console, path string, res *http.Response) (err error) {
	part := path + ".part"
	out, err := os.Create(part)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(part)
		}
	}()
	body, done := watch(c, res.Body, res.ContentLength, filepath.Base(path))
	_, err = io.Copy(out, body)
	done()
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("the answer was cut short: %w", err)
	}
	return os.Rename(part, path)
}
