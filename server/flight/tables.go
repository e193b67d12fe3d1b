package flight

import (
	"cmp"
	"context"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// The schemas of every catalog, and the types of their tables.
const (
	datasetsSchema = "datasets"
	historySchema  = "rowback"

	datasetType = "TABLE"
	versionType = "VIEW"
	historyType = "SYSTEM TABLE"
)

// table is a table that SQL can read, as a catalog lists it.
type table struct {
	catalog, schema, name, kind string

	dataset snapshot.State // the dataset, or whose version it is; zero: a table of history
	ref     string         // of the version
}

func compareTables(a, b table) int {
	return cmp.Or(cmp.Compare(a.catalog, b.catalog), cmp.Compare(a.schema, b.schema), cmp.Compare(a.name, b.name))
}

// catalogs returns the projects that have datasets, and the call's own.
func (f *Face) catalogs(ctx context.Context) ([]string, error) {
	own, err := f.project(ctx)
	if err != nil {
		return nil, err
	}
	all, err := f.store.Datasets(ctx, catalog.DatasetFilter{Limit: math.MaxInt32})
	if err != nil {
		return nil, err
	}
	var out []string
	if callerOf(ctx).Role(own) > access.None {
		out = append(out, strconv.FormatInt(own, 10))
	}
	for _, s := range all {
		out = append(out, strconv.FormatInt(s.Dataset.ProjectID, 10))
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// tables lists the tables that pass a request's filters, in the order that Flight SQL requires.
func (f *Face) tables(ctx context.Context, in flightsql.GetTables) (out []table, err error) {
	catalogs, err := f.catalogs(ctx)
	if err != nil {
		return nil, err
	}
	schemas, names := like(in.GetDBSchemaFilterPattern()), like(in.GetTableNameFilterPattern())
	wanted := func(t table) bool {
		return schemas(t.schema) && names(t.name) &&
			(len(in.GetTableTypes()) == 0 || slices.Contains(in.GetTableTypes(), t.kind))
	}
	for _, name := range catalogs {
		if in.GetCatalog() != nil && *in.GetCatalog() != name {
			continue
		}
		all, err := f.tablesOf(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, t := range all {
			if wanted(t) {
				out = append(out, t)
			}
		}
	}
	slices.SortFunc(out, compareTables)
	return out, nil
}

// tablesOf lists the tables of a catalog.
func (f *Face) tablesOf(ctx context.Context, name string) (out []table, err error) {
	id, err := strconv.ParseInt(name, 10, 64)
	if err != nil {
		return nil, err
	}
	all, err := f.store.Datasets(ctx, catalog.DatasetFilter{Project: id, Limit: math.MaxInt32})
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		called := s.Dataset.Name
		if s.Dataset.IsNamesake {
			called = s.Dataset.ID // another one has the name
		}
		out = append(out, table{name, datasetsSchema, called, datasetType, s, ""})
		versions, err := f.store.Versions(ctx, s.Dataset.ID)
		if err != nil {
			return nil, err
		}
		for _, v := range versions {
			ref := storage.VersionNumber(v)
			out = append(out, table{name, datasetsSchema, called + "@" + ref, versionType, s, ref})
		}
	}
	for history := range query.CatalogTables() {
		out = append(out, table{catalog: name, schema: historySchema, name: history, kind: historyType})
	}
	return out, nil
}

// columns returns the columns of the table, as a query would return them.
func (f *Face) columns(ctx context.Context, t table) ([]schema.Column, error) {
	if t.kind == historyType {
		return query.CatalogTables()[t.name], nil
	}
	state := t.dataset
	if t.ref != "" {
		var err error
		if state, err = f.store.State(ctx, t.dataset.Dataset.ID, t.ref); err != nil {
			return nil, err
		}
	}
	return state.TableColumns(), nil
}

// schemas returns the tables' Arrow schemas, encoded as at the start of a stream.
func (f *Face) schemas(ctx context.Context, tables []table) ([][]byte, error) {
	list := make([][]schema.Column, len(tables))
	for i, t := range tables {
		var err error
		if list[i], err = f.columns(ctx, t); err != nil {
			return nil, err
		}
	}
	found, err := query.Tables(ctx, f.store, list)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(found))
	for i, s := range found {
		out[i] = flight.SerializeSchema(s, f.options.Memory)
	}
	return out, nil
}

// like returns a matcher for a LIKE pattern, with a backslash before literal characters; nil matches everything.
func like(pattern *string) func(string) bool {
	if pattern == nil {
		return func(string) bool { return true }
	}
	var out strings.Builder
	escaped := false
	for _, r := range *pattern {
		switch {
		case escaped:
			out.WriteString(regexp.QuoteMeta(string(r)))
			escaped = false
		case r == '\\':
			escaped = true
		case r == '%':
			out.WriteString(".*")
		case r == '_':
			out.WriteString(".")
		default:
			out.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return regexp.MustCompile("(?s)^" + out.String() + "$").MatchString
}
