package api

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
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
	r, err := in.wanted(snap, format)
	if err != nil {
		return err
	}
	// A ref such as head moves: with the id, a client can ask for the same state again.
	c.Set("X-Rowback-Commit", fmt.Sprint(snap.Commit.ID))
	each := a.host.Limits().QueryTimeout
	if r.IsSandboxed() { // it occupies one of a few sandboxes
		each = 0
	}
	return a.stream(c, fmt.Sprintf("%s-%d", d.Name, snap.Commit.ID), format,
		host.Result{First: a.host.Limits().QueryTimeout, Each: each},
		func(ctx context.Context, w io.Writer, scratch string) (output.Cut, error) {
			cut, err := a.writeWanted(ctx, r, format, pages, w, scratch)
			// A failing condition is the client's, and its message may be shown; one of our own statements is an
			// internal error.
			if in.Where != "" {
				err = clientsql.Explain(err)
			}
			return cut, err
		})
}

// writeWanted writes the records that are wanted. Their connection is opened when the writing starts and not
// before: it is one of a few.
func (a *API) writeWanted(
	ctx context.Context, r storage.Wanted, format intake.Format, pages datafile.Pages, w io.Writer, scratch string,
) (output.Cut, error) {
	conn, q, err := a.store.OpenRecords(ctx, r, output.Scratch(format, scratch))
	if err != nil {
		return output.Whole, err
	}
	defer conn.Close()
	q.Pages = pages
	return output.Write(ctx, conn, q, format, w, scratch)
}

// wanted returns which records are requested. What it says has been checked against the columns, but for the condition.
func (in dataIn) wanted(snap *snapshot.Snapshot, format intake.Format) (r storage.Wanted, err error) {
	all := snap.TableColumns()
	r = storage.Wanted{Snapshot: snap, Where: in.Where, Limit: in.Limit}
	if r.Columns, err = choose(all, in.Columns); err != nil {
		return r, err
	}
	if in.Commit != nil && !*in.Commit && len(in.Columns) == 0 {
		r.Columns = slices.DeleteFunc(slices.Clone(all), func(c schema.Column) bool { return c.ID == schema.CommitID })
	}
	if r.Order, r.By, err = orderBy(all, in.OrderBy); err != nil {
		return r, err
	}
	if r.Order == "" {
		r.Order = in.order(snap, format)
	} else { // pages must not overlap where records are equal in what they are sorted by
		r.Order += strings.Replace(snap.ByKey(), " ORDER BY ", ", ", 1)
	}
	if in.Limit != nil && *in.Limit < 0 {
		return r, invalid("limit", "must not be negative")
	}
	if in.Offset != nil {
		if r.Offset = *in.Offset; r.Offset < 0 {
			return r, invalid("offset", "must not be negative")
		}
	}
	return r, nil
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
	out, chosen := make([]schema.Column, len(names)), make(map[int]bool, len(names))
	named := byName(all)
	for i, name := range names {
		c, err := named.column(name, "columns")
		if err != nil {
			return nil, err
		}
		if chosen[c.ID] {
			return nil, invalid("columns", fmt.Sprintf("column %q is named twice", c.Name))
		}
		out[i], chosen[c.ID] = c, true
	}
	return out, nil
}

// columnNames are columns and where each is, by folded name.
type columnNames struct {
	all []schema.Column
	at  map[string]int
}

func byName(all []schema.Column) columnNames {
	at := make(map[string]int, len(all))
	for i, c := range slices.Backward(all) {
		at[schema.Fold(c.Name)] = i
	}
	return columnNames{all, at}
}

// column finds a column. field is the parameter that named it, for the error.
func (n columnNames) column(name, field string) (schema.Column, error) {
	i, ok := n.at[schema.Fold(name)]
	if !ok {
		have := make([]string, len(n.all))
		for k, c := range n.all {
			have[k] = c.Name
		}
		return schema.Column{}, invalid(field,
			fmt.Sprintf("there is no column %q; there are %s", name, strings.Join(have, ", ")))
	}
	return n.all[i], nil
}

// orderBy returns the SQL of an order, and its columns. An element is a name, which may be quoted, with asc, desc or a
// leading minus; the column must exist, so nothing of the text gets into the SQL.
func orderBy(all []schema.Column, text string) (sql string, by []schema.Column, err error) {
	var terms []string
	named := byName(all)
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
		c, err := named.column(unquoted(part), "order_by")
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
