package api

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// formatIn selects the format of records.
type formatIn struct {
	Format string `query:"format" enum:"arrow,parquet,csv,ndjson,json" description:"Takes precedence over Accept." json:"-"`
	Accept string `header:"Accept" json:"-"`
	pagesIn
}

// pagesIn selects the version of the pages of a Parquet file.
type pagesIn struct {
	ParquetVersion *int `query:"parquet_version" minimum:"1" maximum:"2" default:"1" description:"${parquet_version}" json:"-"`
}

// pages returns the requested version.
func (in pagesIn) pages() (datafile.Pages, error) {
	switch {
	case in.ParquetVersion == nil:
		return datafile.PagesV1, nil
	case *in.ParquetVersion != 1 && *in.ParquetVersion != 2:
		return 0, invalid("parquet_version", "must be 1 or 2")
	}
	return datafile.Pages(*in.ParquetVersion), nil
}

// result returns the requested format, and the version of the pages of a Parquet file.
func (in formatIn) result() (intake.Format, datafile.Pages, error) {
	format, err := in.format()
	if err != nil {
		return "", 0, err
	}
	if in.ParquetVersion != nil && format != intake.Parquet {
		return "", 0, invalid("parquet_version", "is only for Parquet")
	}
	pages, err := in.pages()
	return format, pages, err
}

// format returns the requested format, JSON by default.
func (in formatIn) format() (intake.Format, error) {
	if in.Format != "" {
		f := intake.Format(in.Format)
		// Here and not by the enum, which only describes: bind does not check enums.
		if _, ok := mediaTypes[f]; !ok {
			return "", invalid("format", "must be arrow, parquet, csv, ndjson or json")
		}
		return f, nil
	}
	if in.Accept == "" {
		return intake.JSON, nil
	}
	// The first one that is supported, in the client's order; weights are read only to skip what is refused (q=0).
	for part := range strings.SplitSeq(in.Accept, ",") {
		media, parameters, err := mime.ParseMediaType(strings.TrimSpace(part))
		if q, named := parameters["q"]; err != nil || named && !host.Accepts(q) {
			continue
		}
		if f, ok := formats[media]; ok {
			return f, nil
		}
		if media == "*/*" || media == "application/*" {
			return intake.JSON, nil
		}
	}
	return "", fiber.NewError(http.StatusNotAcceptable,
		fmt.Sprintf("Accept %q names no supported format. Use ?format= arrow, parquet, csv, ndjson or json.", in.Accept))
}

// dataIn selects, orders and limits the records at a ref.
type dataIn struct {
	refIn
	formatIn
	Key     *string  `query:"key" description:"${record.key.only}" json:"-"`
	Columns []string `query:"columns" collectionFormat:"csv" description:"${columns}" json:"-"`
	Commit  *bool    `query:"commit" default:"true" description:"Whether _commit is there if no columns are named." json:"-"`
	Where   string   `query:"where" description:"A SQL condition." json:"-"`
	OrderBy string   `query:"order_by" description:"${order_by}" json:"-"`
	Limit   *int64   `query:"limit" minimum:"0" json:"-"`
	Offset  *int64   `query:"offset" minimum:"0" json:"-"`
}

// getData streams the records at a ref. X-Rowback-Commit has the commit that the ref stood for.
func (a *API) getData(c *fiber.Ctx) error {
	var in dataIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	format, pages, err := in.result()
	if err != nil {
		return err
	}
	d, err := a.dataset(c.UserContext(), in.datasetIn)
	if err != nil {
		return err
	}
	snap, err := a.store.Snapshot(c.UserContext(), d.ID, in.ref())
	if err == nil && in.Key != nil {
		snap, err = a.store.WithKey(c.UserContext(), snap, *in.Key)
	}
	if err != nil {
		return err
	}
	// Checked before anything is sent: after the first byte, an error can only cut the connection.
	q, sandboxed, err := in.query(snap, format)
	if err != nil {
		return err
	}
	q.Pages = pages
	// A ref such as head moves: with the id, a client can ask for the same state again.
	c.Set("X-Rowback-Commit", fmt.Sprint(snap.Commit.ID))
	each := a.host.Limits().QueryTimeout
	if sandboxed { // it occupies one of a few sandboxes
		each = 0
	}
	return a.stream(c, fmt.Sprintf("%s-%d", d.Name, snap.Commit.ID), format,
		host.Result{First: a.host.Limits().QueryTimeout, Each: each},
		func(ctx context.Context, w io.Writer, scratch string) (output.Cut, error) {
			cut, err := a.writeRows(ctx, q, format, w, scratch, func() (*duck.Conn, error) {
				if !sandboxed {
					return a.store.Conn(ctx)
				}
				return a.filter(ctx, snap, in.Where, output.Scratch(format, scratch))
			})
			// A failing condition is the client's, and its message may be shown; one of our own statements is an
			// internal error.
			if in.Where != "" {
				err = clientsql.Explain(err)
			}
			return cut, err
		})
}

// filter opens a sandbox for the records that a condition selects; an empty condition selects all.
func (a *API) filter(ctx context.Context, snap *snapshot.Snapshot, where string, files []string) (*duck.Conn, error) {
	box, err := a.store.Filter(ctx, snap, false, files)
	if err != nil || where == "" {
		return box, err
	}
	if err := clientsql.CheckCondition(ctx, box, where); err != nil {
		box.Close()
		return nil, err
	}
	return box, nil
}

// writeRows writes the result of one of our own queries, on a connection that it opens. open is called when the writing
// starts and not before: the connection is one of a few.
func (a *API) writeRows(
	ctx context.Context, q output.Query, format intake.Format, w io.Writer, scratch string,
	open func() (*duck.Conn, error),
) (output.Cut, error) {
	conn, err := open()
	if err != nil {
		return output.Whole, err
	}
	defer conn.Close()
	return output.Write(ctx, conn, q, format, w, scratch)
}

// query returns the SQL for the requested records. Conditions and derivations are written by clients, and run in a
// sandbox that has the records as a view; everything else has been checked against the columns.
func (in dataIn) query(
	snap *snapshot.Snapshot, format intake.Format,
) (q output.Query, sandboxed bool, err error) {
	all := snap.TableColumns()
	if q.Columns, err = choose(all, in.Columns); err != nil {
		return q, false, err
	}
	if in.Commit != nil && !*in.Commit && len(in.Columns) == 0 {
		q.Columns = slices.DeleteFunc(slices.Clone(all), func(c schema.Column) bool { return c.ID == schema.CommitID })
	}
	sorted, by, err := orderBy(all, in.OrderBy)
	if err != nil {
		return q, false, err
	}
	order := sorted
	if order == "" {
		order = in.order(snap, format)
	}
	sandboxed = in.Where != "" || slices.ContainsFunc(slices.Concat(q.Columns, by), schema.Column.Derived)
	names := make([]string, len(q.Columns))
	for i, c := range q.Columns {
		names[i] = duck.Ident(c.Name)
	}
	// Without a condition or a derivation no SQL of the client's runs, so the engine reads the files itself: no sandbox
	// to start.
	from := "(" + snap.StoredTable() + ")"
	if sandboxed {
		from = "records"
	}
	if in.Where != "" {
		// The newline ends a comment at the condition's end, which would hide the parenthesis.
		from += " WHERE (" + in.Where + "\n)"
	}
	page, err := in.page()
	if err != nil {
		return q, false, err
	}
	if !sandboxed && isWide(snap, q.Columns) {
		q.Slices = slicesOf(snap, q.Columns, by, sorted, page)
		return q, false, nil
	}
	q.SQL = "SELECT " + strings.Join(names, ", ") + " FROM " + from + order + page
	return q, sandboxed, nil
}

// page returns the SQL of the part of the records that the request asks for.
func (in dataIn) page() (sql string, err error) {
	for _, bound := range []struct {
		name string
		n    *int64
	}{{"limit", in.Limit}, {"offset", in.Offset}} {
		switch {
		case bound.n == nil:
		case *bound.n < 0:
			return "", invalid(bound.name, "must not be negative")
		default:
			sql += " " + strings.ToUpper(bound.name) + " " + strconv.FormatInt(*bound.n, 10)
		}
	}
	return sql, nil
}

// mostSliced is the most values of a state that are read in slices of the columns: they are held in memory.
const mostSliced = 4_000_000

// isWide reports whether so many columns of so few records are read that they are read in slices.
func isWide(snap *snapshot.Snapshot, columns []schema.Column) bool {
	return len(columns) > snapshot.SliceColumns && snap.Total()*int64(len(columns)) <= mostSliced
}

// slicesOf returns the queries that read the same records in slices of some columns, and in the same order: that which
// was asked for, of the columns by, and then that of the key, which no two records share.
func slicesOf(
	snap *snapshot.Snapshot, columns, by []schema.Column, order, page string,
) (out []output.Query) {
	if order == "" {
		order = snap.ByKey()
	} else {
		order += strings.Replace(snap.ByKey(), " ORDER BY ", ", ", 1)
	}
	for _, some := range snapshot.InSlices(columns) {
		names := make([]string, len(some))
		for i, c := range some {
			names[i] = duck.Ident(c.Name)
		}
		read := slices.Clone(some)
		for _, c := range by {
			if !slices.ContainsFunc(read, func(o schema.Column) bool { return o.ID == c.ID }) {
				read = append(read, c)
			}
		}
		from := snap.Narrow(read).StoredTable()
		out = append(out, output.Query{
			SQL: "SELECT " + strings.Join(names, ", ") + " FROM (" + from + ")" + order + page, Columns: some,
		})
	}
	return out
}

// order returns the order of a request that names none. Files that people keep are in the order of the key, so that two
// states can be compared line by line. Arrow, which programs read, comes as it is stored, and so does a large state,
// which would be sorted before its first byte; pages of these have a fixed order, or two could overlap.
func (in dataIn) order(snap *snapshot.Snapshot, format intake.Format) string {
	switch {
	case format != intake.Arrow && snap.Total() <= snapshot.Sortable:
		return snap.ByKey()
	case in.Limit != nil || in.Offset != nil:
		return snap.Order()
	}
	return ""
}

// choose returns the named columns, or all columns if there are no names.
func choose(all []schema.Column, names []string) ([]schema.Column, error) {
	if len(names) == 0 {
		return all, nil
	}
	out := make([]schema.Column, len(names))
	for i, name := range names {
		c, err := column(all, name, "columns")
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out[:i], func(o schema.Column) bool { return o.ID == c.ID }) {
			return nil, invalid("columns", fmt.Sprintf("column %q is named twice", c.Name))
		}
		out[i] = c
	}
	return out, nil
}

// column finds a column by name. field is the parameter that named it, for the error.
func column(all []schema.Column, name, field string) (schema.Column, error) {
	i := slices.IndexFunc(all, func(c schema.Column) bool { return schema.SameName(c.Name, name) })
	if i < 0 {
		have := make([]string, len(all))
		for k, c := range all {
			have[k] = c.Name
		}
		return schema.Column{}, invalid(field,
			fmt.Sprintf("there is no column %q; there are %s", name, strings.Join(have, ", ")))
	}
	return all[i], nil
}

// orderBy returns the SQL of an order, and its columns. An element is a name, which may be quoted, with asc, desc or a
// leading minus; the column must exist, so nothing of the text gets into the SQL.
func orderBy(all []schema.Column, text string) (sql string, by []schema.Column, err error) {
	var terms []string
	for _, part := range list(text) {
		direction := " ASC"
		if rest, ok := strings.CutPrefix(part, "-"); ok {
			part, direction = rest, " DESC"
		}
		for _, word := range []string{" asc", " desc"} {
			if strings.HasSuffix(strings.ToLower(part), word) {
				part, direction = strings.TrimSpace(part[:len(part)-len(word)]), strings.ToUpper(word)
			}
		}
		c, err := column(all, unquoted(part), "order_by")
		if err != nil {
			return "", nil, err
		}
		terms, by = append(terms, duck.Ident(c.Name)+direction), append(by, c)
	}
	if len(terms) == 0 {
		return "", nil, nil
	}
	return " ORDER BY " + strings.Join(terms, ", "), by, nil
}
