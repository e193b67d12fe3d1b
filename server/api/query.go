package api

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
)

// queryIn is a statement in a JSON body. format may come in the URL, the body or Accept, in this order of precedence.
type queryIn struct {
	formatIn
	SQL       string          `json:"sql" required:"true" description:"${query.sql}"`
	ProjectID int64           `json:"project_id" default:"1"`
	Limit     *int64          `json:"limit" minimum:"0" description:"${query.limit}"`
	TimeoutMS *int64          `json:"timeout_ms" minimum:"1" description:"At most the server's limit (--query-timeout)."`
	Engine    string          `json:"engine" enum:"duckdb,spark" default:"duckdb" description:"${query.engine}"`
	As        string          `json:"format" enum:"arrow,parquet,csv,ndjson,json" description:"${query.format}"`
	Params    json.RawMessage `json:"params" description:"Values for ? and $1 as a list, for $name as an object."`
}

// queryLinkIn is a statement in a URL.
type queryLinkIn struct {
	formatIn
	SQL       string `query:"sql" required:"true" description:"One SELECT, as in the body of POST." json:"-"`
	ProjectID int64  `query:"project_id" default:"1" json:"-"`
	Limit     *int64 `query:"limit" minimum:"0" json:"-"`
	TimeoutMS *int64 `query:"timeout_ms" minimum:"1" json:"-"`
	Engine    string `query:"engine" enum:"duckdb,spark" default:"duckdb" description:"${query.engine}" json:"-"`
	Params    string `query:"params" description:"JSON: a list, or an object." json:"-"`
}

// createQuery runs a statement from a body. It is a POST because statements can be long; it changes nothing.
func (a *API) createQuery(c *fiber.Ctx) error {
	var in queryIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	in.Format = cmp.Or(in.Format, in.As)
	return a.query(c, in)
}

// getQuery runs a statement from a URL, so that a result can be linked to.
func (a *API) getQuery(c *fiber.Ctx) error {
	var in queryLinkIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	return a.query(c, queryIn{
		formatIn: in.formatIn, SQL: in.SQL, ProjectID: in.ProjectID, Limit: in.Limit, TimeoutMS: in.TimeoutMS,
		Engine: in.Engine, Params: json.RawMessage(in.Params),
	})
}

// query sends the result of a statement.
func (a *API) query(c *fiber.Ctx, in queryIn) error {
	format, pages, err := in.result()
	if err != nil {
		return err
	}
	write, err := a.runner(in.Engine)
	if err != nil {
		return err
	}
	limit, err := in.timeout(a.host.Limits().QueryTimeout)
	if err != nil {
		return err
	}
	project := datasetIn{ProjectID: in.ProjectID}.project() // 0 is 1, as in paths
	audit.Of(c.UserContext()).Project(project)
	audit.Of(c.UserContext()).Statement(in.SQL)
	s := query.Statement{
		SQL: in.SQL, Project: project, Params: in.Params, Limit: in.Limit,
		Bytes: a.host.Limits().MaxResult, Pages: pages, Audit: a.auditFiles(c),
	}
	// One limit for all of it, without Each: the statement occupies one of a few sandboxes.
	return a.stream(c, "result", format, host.Result{First: limit},
		func(ctx context.Context, w io.Writer, scratch string) (output.Cut, error) {
			return write(ctx, s, format, w, scratch)
		})
}

// runner runs a statement and writes its result.
type runner func(context.Context, query.Statement, intake.Format, io.Writer, string) (output.Cut, error)

// runner returns what runs statements: DuckDB, or the engine.
func (a *API) runner(engine string) (runner, error) {
	switch {
	case engine == "" || engine == "duckdb":
		return func(ctx context.Context, s query.Statement, as intake.Format, w io.Writer, scratch string) (output.Cut, error) {
			return query.Write(ctx, a.store, s, as, w, scratch)
		}, nil
	case engine != "spark":
		return nil, invalid("engine", "must be duckdb or spark")
	case a.options.Engine == nil:
		e := fault.Errorf(fault.Invalid, "no_engine",
			"This server has no engine. Leave engine out, or start the server with --engine sc://host:15002.")
		return nil, e.With("field", "engine")
	}
	return func(ctx context.Context, s query.Statement, as intake.Format, w io.Writer, scratch string) (output.Cut, error) {
		return query.WriteOn(ctx, a.store, a.options.Engine, s, as, w, scratch)
	}, nil
}

// timeout returns how long the statement may take: as long as requested, but no longer than the server allows.
func (in queryIn) timeout(most time.Duration) (time.Duration, error) {
	switch {
	case in.TimeoutMS == nil:
		return most, nil
	case *in.TimeoutMS < 1:
		return 0, invalid("timeout_ms", "must be 1 or more")
	case *in.TimeoutMS > most.Milliseconds():
		return most, nil
	}
	return time.Duration(*in.TimeoutMS) * time.Millisecond, nil
}
