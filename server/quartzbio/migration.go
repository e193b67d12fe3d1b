package quartzbio

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// migrationIn is the request to commit what a query selects of one dataset into another, or into itself.
type migrationIn struct {
	committing
	SourceID     string          `json:"source_id"`
	TargetID     string          `json:"target_id"`
	SourceParams *queryIn        `json:"source_params"`
	Parallel     json.RawMessage `json:"parallel"`
}

// migrationView is what is kept of a migration, and shown with it.
type migrationView struct {
	importView
	SourceID       string         `json:"source_id"`
	SourceDataset  map[string]any `json:"source"`
	SourceParams   queryIn        `json:"source_params"`
	DocumentsCount int64          `json:"documents_count"`
}

// createMigration commits what is selected of a dataset into another, as a job.
func (f *Face) createMigration(c *fiber.Ctx) error {
	var in migrationIn
	if err := f.read(c, &in); err != nil {
		return err
	}
	ctx := c.UserContext()
	to, err := f.dataset(ctx, in.TargetID)
	if err != nil {
		return err
	}
	mode, err := in.mode()
	if err == nil {
		err = cmp.Or(in.check(), nothings(map[string]json.RawMessage{"parallel": in.Parallel}))
	}
	if err != nil {
		return err
	}
	from, err := f.store.Snapshot(storage.Reading(ctx), in.SourceID, "head")
	if err != nil {
		return err
	}
	w := doing{
		kind: migrationKind, dataset: to, title: cmp.Or(in.Title, "Migration"),
		message: cmp.Or(in.Description, in.Title), said: in.said(),
	}
	if err := f.migrationPart(ctx, c, in, from, to, mode, &w); err != nil {
		return err
	}
	e, err := f.start(c, w)
	if err != nil {
		return err
	}
	if to, err = f.dataset(ctx, to.Dataset.ID); err != nil {
		return err
	}
	return f.showWork(c, http.StatusCreated, e, to)
}

// migrationPart says what a migration commits, from a state that does not change any more.
func (f *Face) migrationPart(
	ctx context.Context, c *fiber.Ctx, in migrationIn, from *snapshot.Snapshot, to snapshot.State, mode catalog.Mode,
	w *doing,
) error {
	var query queryIn
	if in.SourceParams != nil {
		query = *in.SourceParams
	}
	s, err := selection(from, query)
	if err != nil {
		return err
	}
	if len(query.Facets)+len(query.TargetFields) > 0 {
		return refused("facets and target_fields", "are not parameters of a source")
	}
	isSame := from.Dataset.ID == to.Dataset.ID
	s.withKeyOf(mode, isSame)
	r, err := in.rewriting(to, mode, scope{source: from.Dataset.ID})
	if err != nil {
		return err
	}
	n, err := f.countSelected(ctx, s)
	if err != nil {
		return err
	}
	if query.Limit != nil {
		n = min(n, *query.Limit)
	}
	asked := importIn{committing: in.committing}
	view := migrationView{
		importView: asked.view("dataset", nil), SourceID: from.Dataset.ID, SourceParams: query, DocumentsCount: n,
		SourceDataset: map[string]any{
			"id": from.Dataset.ID, "url": host.Site(c) + root + "/datasets/" + from.Dataset.ID, "class_name": "Dataset",
		},
	}
	view.Title = w.title
	w.asked, w.said["source_dataset"], w.said["source_commit"] = view, from.Dataset.ID, from.Commit.ID
	if n == 0 { // nothing is selected: there is nothing to commit
		w.parts = append(w.parts, func(context.Context, storage.Request) (k catalog.Commit, err error) { return k, nil })
		return nil
	}
	w.parts = append(w.parts, func(ctx context.Context, request storage.Request) (k catalog.Commit, err error) {
		u, err := f.extract(ctx, s, query.Limit, r)
		if err != nil {
			return k, err
		}
		defer u.Remove()
		return f.store.Commit(ctx, to.Dataset.ID, in.change(request, mode, u))
	})
	return nil
}

// withKeyOf chooses the columns that are read for a migration: _commit is not copied, _id only where it finds records.
func (s *selected) withKeyOf(mode catalog.Mode, isSame bool) {
	s.withID, s.dropKey = false, nil
	var columns []schema.Column
	for _, column := range s.columns {
		if column.ID != schema.CommitID && (column.ID != schema.RowID || mode != catalog.Append) {
			columns = append(columns, column)
		}
	}
	if mode != catalog.Append {
		for _, key := range s.snap.Schema.KeyColumns() {
			if !hasColumn(columns, key) {
				columns = append(columns, key)
			}
		}
	}
	if mode == catalog.Delete { // by the key alone
		columns = s.snap.Schema.KeyColumns()
	}
	s.columns = columns
}

// extract writes what is selected to be committed: as it is, or as JSON Lines where target fields change it.
func (f *Face) extract(ctx context.Context, s selected, limit *int64, r rewriting) (u calls.Upload, err error) {
	if r.annotator != nil {
		return f.extractRewritten(ctx, s, limit, r)
	}
	types, names := map[string]schema.Type{}, []string{}
	for _, column := range s.columns {
		names, types[column.Name] = append(names, duck.Ident(column.Name)), column.Type
	}
	u.Upload, _, err = f.store.Extract(storage.Reading(ctx), s.snap, append(s.by, s.columns...), types,
		func(from string) string {
			sql := "SELECT " + strings.Join(names, ", ") + " FROM " + from
			if s.where.sql != "" {
				sql += " WHERE " + s.where.sql
			}
			if sql += s.order; limit != nil {
				sql += " LIMIT " + duck.Int(*limit)
			}
			return sql
		})
	return u, err
}

// extractRewritten writes what is selected as JSON Lines, changed by target fields.
func (f *Face) extractRewritten(
	ctx context.Context, s selected, limit *int64, r rewriting,
) (u calls.Upload, err error) {
	conn, q, err := f.store.OpenRecords(storage.Reading(ctx), s.wanted(limit, 0), nil)
	if err != nil {
		return u, err
	}
	defer conn.Close()
	u, err = calls.Receive(f.store, intake.NDJSON, func(to io.Writer) (int64, error) {
		n := &counting{to: to}
		_, err := output.Write(ctx, conn, q, intake.NDJSON, n, "")
		return n.bytes, err
	})
	if err != nil {
		return u, err
	}
	return f.rewrite(ctx, u, r)
}

// counting counts the bytes that are written.
type counting struct {
	to    io.Writer
	bytes int64
}

// Write implements io.Writer.
func (c *counting) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.bytes += int64(n)
	return n, err
}
