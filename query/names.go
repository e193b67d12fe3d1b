package query

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// viewSchema is the sandbox's schema with the statement's tables, as views.
const viewSchema = "datasets"

// names resolves the table names in a statement. Each statement has one; it ends with it.
type names struct {
	store   *storage.Store
	box     *duck.Conn
	project int64
	files   []string // from which the tables are read
	once    bool     // one of these is the statement's own: no other statement has the same scope
	columns int      // number of columns of all tables
	views   []view
	catalog map[string]bool // the catalog's tables that have been created
	inside  bool            // the statement names the project as a database
	known   Meaning         // what names stood for in an earlier description; nil: none
	means   Meaning         // what they stand for now

	audit   func() ([]string, error) // Statement.Audit
	audited []string                 // the files of the audit log, if the statement names it
}

// Meaning is what the dataset names in a statement stood for when it was described, by name: the dataset's id, @, and
// the commit, or two commits with .. between them. With it, the statement can run later and mean the same. Flight SQL
// describes a statement before it runs it, in two requests: without this, a commit between them could change the
// columns.
type Meaning map[string]string

// view is a table of the sandbox.
type view struct {
	name  string
	means string // the dataset's id, and the ref
	sql   string

	columns []schema.Column // nil: it is a difference
}

// resolve finds the tables that a statement names, as views.
func (n *names) resolve(ctx context.Context, t *text) error {
	n.inside = n.namesDatabase(t)
	for _, table := range t.Tables {
		table.Schema = strings.TrimPrefix(table.Schema, n.database()+".")
		if err := n.table(ctx, table); err != nil {
			// Only what the client wrote has a place in the text.
			if e := storage.Explain(err); e.Kind == fault.NotFound || e.Kind == fault.Invalid {
				return t.located(e, table.Offset)
			}
			return err
		}
	}
	return nil
}

// database returns the project's name as a database, which is a catalog in Flight SQL.
func (n *names) database() string { return strconv.FormatInt(n.project, 10) }

// namesDatabase reports whether a statement uses the project's name as a database: "1".datasets.employees. Clients that
// show catalogs write names with all three parts.
func (n *names) namesDatabase(t *text) bool {
	return slices.ContainsFunc(t.Tables,
		func(t clientsql.Table) bool { return strings.HasPrefix(t.Schema, n.database()+".") })
}

// attach returns the SQL that creates a database with the project's name, if the statement uses it, and that makes
// other connections use it. The database is empty: views are created in it.
func (n *names) attach() (first, others string) {
	if !n.inside {
		return "", ""
	}
	name := duck.Ident(n.database())
	return "ATTACH IF NOT EXISTS ':memory:' AS " + name + "; USE " + name, "USE " + name + "; "
}

// makeTables makes the sandbox one in which tables of the statement's own can be created.
func (n *names) makeTables(ctx context.Context) error {
	if err := n.box.Renew(ctx); err != nil {
		return err
	}
	first, _ := n.attach()
	if first == "" {
		return nil
	}
	_, err := n.box.Exec(ctx, first)
	return err
}

// table adds the view of one table, unless the statement has named it before.
func (n *names) table(ctx context.Context, t clientsql.Table) error {
	if t.Schema != "" && schema.Fold(t.Schema) != viewSchema {
		return n.catalogTable(ctx, t)
	}
	// With an earlier description, the name means the ids that it meant then, even if it names another dataset by now.
	meant, settled := n.known[t.Name]
	if !settled {
		meant = t.Name
	}
	dataset, ref, _ := strings.Cut(meant, "@")
	d, err := n.dataset(ctx, dataset)
	if settled && fault.KindOf(err) == fault.NotFound {
		return &fault.Error{
			Kind: fault.NotFound, Code: "dataset_not_found",
			Detail: fmt.Sprintf("The dataset that %q meant no longer exists. Ask for the statement's schema again.",
				clip(t.Name, maxName)),
		}
	}
	if err != nil {
		return err
	}
	means := d.ID + "@" + ref
	for _, v := range n.views {
		// SQL's names ignore case and those of datasets do not, so two tables may collide.
		if !schema.SameName(v.name, t.Name) {
			continue
		}
		if v.means != means {
			return refuse("ambiguous_name",
				"%q and %q are different tables, but the same name in SQL. Use the id of one of the datasets.", v.name, t.Name)
		}
		return nil
	}
	sql, commits, files, columns, err := n.source(ctx, d, ref)
	n.views = append(n.views, view{t.Name, means, sql, columns})
	n.files = append(n.files, files...)
	n.means[t.Name] = d.ID + "@" + commits
	return err
}

// dataset finds the dataset with a name: exactly as written, or else ignoring case. A dataset of another project that
// is named by its id counts as unknown: a statement sees one project.
func (n *names) dataset(ctx context.Context, name string) (catalog.Dataset, error) {
	d, err := n.store.FindDataset(ctx, n.project, name)
	if err == nil && d.ProjectID == n.project {
		return d, nil
	}
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return d, err
	}
	all, err := n.store.Datasets(ctx, catalog.DatasetFilter{Project: n.project, Limit: math.MaxInt32})
	if err != nil {
		return d, err
	}
	var have []string
	for _, s := range all {
		if schema.SameName(s.Dataset.Name, name) {
			return s.Dataset, nil
		}
		have = append(have, s.Dataset.Name)
	}
	return d, n.noDataset(ctx, name, have)
}

// noDataset returns the error for an unknown name, with the most similar ones. The sandbox computes the distances, as
// it has the function.
func (n *names) noDataset(ctx context.Context, name string, have []string) error {
	e := &fault.Error{
		Kind: fault.NotFound, Code: "dataset_not_found",
		Detail: fmt.Sprintf("There is no dataset %q in project %d", clip(name, maxName), n.project),
	}
	if len(have) == 0 {
		e.Detail += ", which has none yet."
		return e
	}
	near, err := clientsql.Nearest(ctx, n.box, have, name, 3)
	if err != nil {
		return err
	}
	e.Detail += "; the nearest names are " + strings.Join(near, ", ") + "."
	return e.With("nearest", near)
}

// source returns the SQL of a dataset at a ref, or of the difference between two refs, with the commits and the files
// that it reads, and the dataset's columns.
func (n *names) source(
	ctx context.Context, d catalog.Dataset, ref string,
) (sql, commits string, files []string, columns []schema.Column, err error) {
	from, to, isDiff := strings.Cut(ref, "..")
	a, err := n.store.Snapshot(ctx, d.ID, from)
	if err != nil {
		return "", "", nil, nil, err
	}
	n.columns += len(a.Schema.Columns)
	if !isDiff {
		return a.Table(), fmt.Sprint(a.Commit.ID), a.Paths(), a.TableColumns(), nil
	}
	b, err := n.store.Snapshot(ctx, d.ID, to)
	if err != nil {
		return "", "", nil, nil, err
	}
	n.columns += len(b.Schema.Columns)
	diff := snapshot.Diff(a, b)
	sql, _, err = diff.Records()
	return sql, fmt.Sprintf("%d..%d", a.Commit.ID, b.Commit.ID), diff.Paths(), nil, err
}

// scope returns the files of the views and the SQL that creates them and puts them first in the search path. It runs
// while the sandbox is being locked, before any SQL of the client's.
func (n *names) scope() duck.Scope {
	first, others := n.attach()
	s := duck.Scope{
		Files:   append(n.files, n.audited...),
		Setup:   []string{n.store.Sandboxes.Threads(n.columns), first, "CREATE SCHEMA " + viewSchema},
		Session: others + "SET search_path = " + duck.Text(viewSchema),
		Keep:    !n.once && len(n.catalog) == 0,
	}
	if len(n.audited) > 0 {
		s.Setup = append(s.Setup, "CREATE SCHEMA IF NOT EXISTS "+catalogSchema, auditView(n.audited))
	}
	for _, v := range n.views {
		s.Setup = append(s.Setup, "CREATE VIEW "+viewSchema+"."+duck.Ident(v.name)+" AS "+v.sql)
	}
	return s
}

// maxName is how many characters of a name an error repeats.
const maxName = 60

// clip shortens a text for a message.
func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
