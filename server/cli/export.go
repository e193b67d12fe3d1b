package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
)

type exportCmd struct {
	datasetFlags
	Ref     string `help:"Which state: ${refs}." default:"head"`
	Output  string `short:"o" help:"The file to write; its extension determines the format. - is standard output." default:"-"`
	Format  string `help:"arrow (the stream format), parquet, csv, ndjson or json." enum:",arrow,parquet,csv,ndjson,json" default:""`
	Columns string `help:"Names, comma-separated; a name with a comma in double quotes. By default all."`
	Commit  bool   `help:"Include _commit: the commit that wrote each record."`
	Where   string `help:"A SQL condition."`
	OrderBy string `help:"Names, comma-separated. By default the key."`
	Pages   int    `name:"parquet-version" help:"Version of the data pages of a Parquet file." enum:"1,2" default:"1"`
	Limit   int64  `help:"The most records to export; 0: all." default:"0"`
}

// Run exports.
func (cmd *exportCmd) Run(c console) error {
	as, err := endingOf(cmd.Output, cmd.Format)
	if err != nil {
		return err
	}
	if cmd.Pages == 2 && as.format != "parquet" {
		return exitError{exitUsage, fmt.Errorf("--parquet-version is for Parquet, and the output is %s", as.format)}
	}
	query, err := cmd.exportQuery(as.format)
	if err != nil {
		return err
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
	return save(c, cmd.Output, res, as)
}

func (cmd *exportCmd) exportQuery(format string) (url.Values, error) {
	query := cmd.query()
	order := cmd.OrderBy
	if order == "" {
		var about struct {
			Key []string `json:"key"`
		}
		if err := cmd.get(cmd.path(), cmd.query(), &about); err != nil {
			return nil, err
		}
		order = cmp.Or(quoted(about.Key), "_id")
	}
	for name, value := range map[string]string{
		"ref": cmd.Ref, "format": format, "columns": cmd.Columns, "where": cmd.Where, "order_by": order,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if !cmd.Commit && cmd.Columns == "" {
		query.Set("commit", "false")
	}
	if cmd.Pages == 2 {
		query.Set("parquet_version", "2")
	}
	if cmd.Limit > 0 {
		query.Set("limit", fmt.Sprint(cmd.Limit))
	}
	return query, nil
}

// save writes an answer to a file as its ending says. The file appears once it is complete.
func save(c console, path string, res *http.Response, as ending) (err error) {
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
	err = as.write(out, body)
	done()
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("the answer was cut short: %w", err)
	}
	return os.Rename(part, path)
}
