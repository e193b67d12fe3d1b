package query

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// catalogSchema is the schema of the tables about the project's datasets and their history.
const catalogSchema = "rowback"

// relation is a table of the catalog: its columns, with DuckDB's types, and its rows for a dataset. Rows are made of
// what every face shows, so that SQL and the API agree.
type relation struct {
	columns [][2]string
	rows    func(ctx context.Context, store *storage.Store, s snapshot.State) ([][]any, error)
}

var relations = map[string]relation{
	"datasets": {[][2]string{
		{"id", "VARCHAR"}, {"name", "VARCHAR"}, {"project_id", "BIGINT"}, {"key", "VARCHAR[]"}, {"description", "VARCHAR"},
		{"metadata", "JSON"}, {"head", "BIGINT"}, {"records_total", "BIGINT"}, {"created_at", "TIMESTAMPTZ"},
		{"upstream_id", "VARCHAR"}, {"fork_commit", "BIGINT"},
	}, datasetRow},
	"commits": {[][2]string{
		{"dataset", "VARCHAR"}, {"dataset_id", "VARCHAR"}, {"id", "BIGINT"}, {"mode", "VARCHAR"}, {"status", "VARCHAR"},
		{"message", "VARCHAR"}, {"user_name", "VARCHAR"}, {"created_at", "TIMESTAMPTZ"}, {"parent_commit_id", "BIGINT"},
		{"rollback_commit_id", "BIGINT"}, {"records_added", "BIGINT"}, {"records_removed", "BIGINT"},
		{"records_modified", "BIGINT"}, {"records_total", "BIGINT"},
		{"hash", "VARCHAR"}, {"metadata", "JSON"}, {"params", "JSON"},
		{"digest", "VARCHAR"}, {"vacuumed_at", "TIMESTAMPTZ"},
	}, commitRows},
	"versions": {[][2]string{
		{"dataset", "VARCHAR"}, {"dataset_id", "VARCHAR"}, {"version", "VARCHAR"}, {"commit_id", "BIGINT"},
		{"records_total", "BIGINT"}, {"is_active", "BOOLEAN"}, {"description", "VARCHAR"}, {"user_name", "VARCHAR"},
		{"created_at", "TIMESTAMPTZ"}, {"digest", "VARCHAR"}, {"vacuumed_at", "TIMESTAMPTZ"},
	}, versionRows},
	"actions": {[][2]string{
		{"dataset", "VARCHAR"}, {"dataset_id", "VARCHAR"}, {"commit_id", "BIGINT"}, {"key", "VARCHAR"}, {"status", "VARCHAR"},
		{"datetime", "TIMESTAMPTZ"}, {"user_name", "VARCHAR"}, {"message", "VARCHAR"}, {"hash", "VARCHAR"},
		{"merge_commit_id", "BIGINT"}, {"params", "JSON"},
		{"records_added", "BIGINT"}, {"records_removed", "BIGINT"}, {"records_modified", "BIGINT"},
	}, actionRows},
}

// catalogTable creates a table of the catalog in the sandbox. It is filled before the sandbox is locked: the statement
// itself reaches no catalog.
func (n *names) catalogTable(ctx context.Context, t clientsql.Table) error {
	table := schema.Fold(t.Name)
	if schema.Fold(t.Schema) == catalogSchema && table == auditTable && n.audit != nil {
		return n.auditTable()
	}
	of, ok := relations[table]
	if schema.Fold(t.Schema) != catalogSchema || !ok {
		return refuse("unknown_table",
			"There is no table %s.%s. A table is a dataset, or one of rowback.datasets, rowback.commits, rowback.versions, "+
				"rowback.actions.",
			clip(t.Schema, maxName), clip(t.Name, maxName))
	}
	// A statement may name it twice, as in a self-join.
	if n.catalog[table] {
		return nil
	}
	n.catalog[table] = true
	// Of the statement's project only: other projects' history is not to be seen from it.
	all, err := n.store.Datasets(ctx, catalog.DatasetFilter{Project: n.project, Limit: math.MaxInt32})
	if err != nil {
		return err
	}
	rows := [][]any{}
	for _, s := range all {
		more, err := of.rows(ctx, n.store, s)
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	if err := n.makeTables(ctx); err != nil {
		return err
	}
	return of.create(ctx, n.box, table, rows)
}

// auditTable adds the view of the audit log, which is read from its files.
func (n *names) auditTable() (err error) {
	n.catalog[auditTable] = true
	n.audited, err = n.audit()
	return err
}

// create creates the table from its rows, which are passed to DuckDB as JSON. JSON carries nulls, lists and times
// without a binding for each type, and the columns' types are given to from_json.
func (r relation) create(ctx context.Context, box *duck.Conn, name string, rows [][]any) error {
	text, err := json.Marshal(r.records(rows))
	if err != nil {
		return err
	}
	types := make([]string, len(r.columns))
	for i, c := range r.columns {
		types[i] = fmt.Sprintf("%q:%q", c[0], c[1])
	}
	if _, err := box.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+catalogSchema); err != nil {
		return err
	}
	done, err := box.Batch(ctx,
		fmt.Sprintf("CREATE TABLE %s.%s AS SELECT unnest(r) FROM (SELECT unnest(from_json($1, %s)) AS r)",
			catalogSchema, duck.Ident(name), duck.Text("[{"+strings.Join(types, ",")+"}]")),
		duck.Param{Name: "1", Value: string(text)})
	if err == nil {
		done.Release()
	}
	return err
}

// records returns rows as objects. They are by column name, as from_json takes them.
func (r relation) records(rows [][]any) []map[string]any {
	out := make([]map[string]any, len(rows))
	for i, row := range rows {
		out[i] = map[string]any{}
		for k, c := range r.columns {
			out[i][c[0]] = row[k]
		}
	}
	return out
}

// datasetRow returns the only row of a dataset in rowback.datasets.
func datasetRow(_ context.Context, _ *storage.Store, s snapshot.State) ([][]any, error) {
	key := []string{}
	if s.Schema.Keyed() {
		for _, c := range s.Schema.KeyColumns() {
			key = append(key, c.Name)
		}
	}
	d := s.Dataset
	return [][]any{{
		d.ID, d.Name, d.ProjectID, key, s.Properties.Description, s.Properties.Metadata, d.Head, s.Total(),
		moment(d.CreatedAt),
		orNull(d.UpstreamID), orNull(d.ForkCommit),
	}}, nil
}

// commitRows returns the rows of a dataset in rowback.commits, without commits that merges played.
func commitRows(ctx context.Context, store *storage.Store, s snapshot.State) (rows [][]any, err error) {
	commits, err := store.Commits(ctx, s.Dataset.ID, math.MaxInt64, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	digests, err := store.Digests.Known(ctx, ids(commits, func(c catalog.Commit) int64 { return c.ID }))
	for _, c := range commits {
		rows = append(rows, []any{
			s.Dataset.Name, s.Dataset.ID, c.ID, c.Mode, status(c), c.Message, c.User, moment(c.CreatedAt),
			orNull(c.ParentCommitID), orNull(c.RollbackCommitID),
			c.Added, c.Removed, c.Modified, c.Total, c.Hash, c.Metadata, c.Params, orNull(digests[c.ID]), momentOrNull(c.VacuumedAt),
		})
	}
	return rows, err
}

// versionRows returns the rows of a dataset in rowback.versions.
func versionRows(ctx context.Context, store *storage.Store, s snapshot.State) (rows [][]any, err error) {
	versions, err := store.Versions(ctx, s.Dataset.ID)
	if err != nil {
		return nil, err
	}
	digests, err := store.Digests.Known(ctx, ids(versions, func(v catalog.Version) int64 { return v.CommitID }))
	for _, v := range versions {
		rows = append(rows, []any{
			s.Dataset.Name, s.Dataset.ID, storage.VersionNumber(v), v.CommitID, v.Total, v.IsActive, v.Description, v.User,
			moment(v.CreatedAt), orNull(digests[v.CommitID]), momentOrNull(v.VacuumedAt),
		})
	}
	return rows, err
}

// actionRows returns the rows of a dataset in rowback.actions, which include commits that merges played.
func actionRows(ctx context.Context, store *storage.Store, s snapshot.State) (rows [][]any, err error) {
	actions, err := store.Actions(ctx, s.Dataset.ID, storage.ActionFilter{})
	for _, c := range actions {
		rows = append(rows, []any{
			s.Dataset.Name, s.Dataset.ID, c.ID, storage.ActionKey(c), status(c), moment(c.CreatedAt), c.User, c.Message, c.Hash,
			orNull(c.MergeCommitID), c.Params,
			c.Added, c.Removed, c.Modified,
		})
	}
	return rows, err
}

// ids returns the ids of commits in a list, whose digests are shown where they were computed before.
func ids[T any](list []T, id func(T) int64) []int64 {
	out := make([]int64, len(list))
	for i, v := range list {
		out[i] = id(v)
	}
	return out
}

// status is completed, or rolled_back while a rollback of the commit is in effect.
func status(c catalog.Commit) string {
	if c.RollbackCommitID != 0 {
		return "rolled_back"
	}
	return "completed"
}

// moment formats a time so that DuckDB reads it as TIMESTAMPTZ.
func moment(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// momentOrNull is moment; null for the zero time.
func momentOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return moment(t)
}

// orNull returns a value, or null for the value that stands for none.
func orNull[T comparable](v T) any {
	var none T
	if v == none {
		return nil
	}
	return v
}
