package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/fault"
	"rowback/storage/output"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// The history of a record: when each of its rows was live follows from the entries of the files that hold it and of
// the rollback files that displaced it, so no state is read. Files are chosen by the bounds of their keys, then by
// their targets; what a page shows is read last, of the page's rows only.

// RecordQuery asks for the history of one record.
type RecordQuery struct {
	Dataset string
	Ref     string // up to which commit
	Key     string // as recordKey reads it
	Before  int64  // only commits with lower ids; 0: all
	Limit   int
}

// RecordChange is what a commit did to a record.
type RecordChange struct {
	Commit        catalog.Commit
	Change        string          // snapshot.Added, Removed or Modified
	Before, After json.RawMessage // the record; nil: there was none
	Columns       []string        // of a modified record: those whose values differ
}

// RecordHistory returns the commits that changed a record, newest first, and whether there are more. Commits that
// merges played are among them, in place of the merges. A commit that gave it the same values again is not.
func (h *History) RecordHistory(ctx context.Context, q RecordQuery) (list []RecordChange, more bool, err error) {
	conn, err := h.stored.Conn(ctx)
	if err != nil {
		return nil, false, err
	}
	defer conn.Close()
	r := recordReader{History: h, conn: conn}
	if r.state, err = h.State(ctx, q.Dataset, q.Ref); err != nil {
		return nil, false, err
	}
	steps, err := r.steps(ctx, q.Key)
	if err != nil {
		return nil, false, err
	}
	steps = slices.DeleteFunc(steps, func(s recordStep) bool {
		return s.commit > r.state.Commit.ID || q.Before != 0 && s.commit >= q.Before
	})
	slices.Reverse(steps)
	// Steps between equal rows are left out, so more are read until the page is full.
	for len(list) < q.Limit && len(steps) > 0 {
		n := min(q.Limit-len(list), len(steps))
		some, err := r.changes(ctx, steps[:n])
		if err != nil {
			return nil, false, err
		}
		list, steps = append(list, some...), steps[n:]
	}
	return list, len(steps) > 0, nil
}

// recordReader reads one record, as of a state.
type recordReader struct {
	*History
	conn  *duck.Conn
	state snapshot.State
	key   snapshot.RecordKey
	files *snapshot.Snapshot // all that may hold the record, of any commit up to the state
	spans map[int64][]span   // when each file was live
}

// steps finds the commits in which the record's row changed, oldest first.
func (r *recordReader) steps(ctx context.Context, key string) ([]recordStep, error) {
	columns := r.state.Schema.KeyColumns()
	none := fault.Errorf(fault.NotFound, "record_not_found",
		"Dataset '%s' has never had a record with the key %s, up to commit %d. Look for its key in …/data.",
		r.state.Dataset.Name, fault.Clip(key), r.state.Commit.ID)
	if slices.ContainsFunc(columns, func(c schema.Column) bool { return c.Type.Name == schema.Null }) {
		return nil, none // there has been no record yet, so the key has no type
	}
	var err error
	if r.key, err = recordKey(ctx, r.conn, columns, key); err != nil {
		return nil, err
	}
	if err := r.choose(ctx); err != nil {
		return nil, err
	}
	lives, err := r.lives(ctx)
	if err != nil {
		return nil, err
	}
	steps := stepsOf(lives)
	if len(steps) == 0 {
		return nil, none
	}
	return steps, nil
}

// choose finds the files that may hold the record.
func (r *recordReader) choose(ctx context.Context) error {
	r.files = snapshot.New(r.state, r.stored.pathOf)
	return r.catalog.Read(ctx, func(tx catalog.Tx) error {
		entries, err := tx.Entries(r.state.Dataset.ID, r.state.Commit.ID)
		if err != nil {
			return err
		}
		r.spans = spansOf(entries)
		ids := make([]int64, 0, len(r.spans))
		for id := range r.spans {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		files, ok := r.seen.all(ids)
		if !ok {
			if files, err = tx.AllFiles(r.state.Dataset.ID); err != nil {
				return err
			}
			r.seen.add(files)
		}
		schemas, err := snapshot.SchemasOf(tx, files)
		if err != nil {
			return err
		}
		return r.files.Adopt(tx, slices.DeleteFunc(slices.Clone(files), func(f *catalog.File) bool {
			return len(r.spans[f.ID]) == 0 || !r.key.MayBeIn(f, schemas[f.SchemaID])
		}))
	})
}

// lives finds when each row of the record was live: while its file was, and no rollback file that displaces it.
func (r *recordReader) lives(ctx context.Context) (map[snapshot.Place][]span, error) {
	if len(r.files.Data) == 0 {
		return nil, nil
	}
	var places []snapshot.Place
	holders := map[int64]bool{}
	err := r.conn.Rows(ctx, r.files.Located(r.key), func(scan duck.Scan) error {
		var p snapshot.Place
		err := scan(&p.File, &p.Row)
		places = append(places, p)
		holders[p.File] = true
		return err
	})
	if err != nil {
		return nil, err
	}
	gone, err := r.displaced(ctx, holders)
	lives := map[snapshot.Place][]span{}
	for _, p := range places {
		lives[p] = without(slices.Clone(r.spans[p.File]), gone[p])
	}
	return lives, err
}

// displaced finds when each row of the record was displaced, in files that hold it.
func (r *recordReader) displaced(ctx context.Context, holders map[int64]bool) (map[snapshot.Place][]span, error) {
	r.files.Rollbacks = slices.DeleteFunc(r.files.Rollbacks, func(f *catalog.File) bool {
		return !snapshot.TargetsAny(f, holders)
	})
	gone := map[snapshot.Place][]span{}
	if len(r.files.Rollbacks) == 0 {
		return gone, nil
	}
	return gone, r.conn.Rows(ctx, r.files.Displaced(r.key), func(scan duck.Scan) error {
		var by int64
		var p snapshot.Place
		err := scan(&by, &p.File, &p.Row)
		gone[p] = append(gone[p], r.spans[by]...)
		return err
	})
}

// changes reads what some steps did, leaving out those that gave the record the same values again.
func (r *recordReader) changes(ctx context.Context, steps []recordStep) ([]RecordChange, error) {
	list, err := r.commits(ctx, steps)
	if err != nil {
		return nil, err
	}
	groups := map[[2]string][]int{} // of the steps, by the schemas before and after
	for i := range list {
		groups[list[i].schemas] = append(groups[list[i].schemas], i)
	}
	for schemas, numbers := range groups {
		if err := r.read(ctx, schemas, numbers, list); err != nil {
			return nil, err
		}
	}
	var out []RecordChange
	for _, c := range list {
		if c.Change != snapshot.Modified || len(c.Columns) > 0 {
			out = append(out, c.RecordChange)
		}
	}
	return out, nil
}

// recordChange is a change while it is read.
type recordChange struct {
	RecordChange
	step    snapshot.Step
	schemas [2]string // ids of the documents before and after
}

// commits reads the commits of the steps.
func (r *recordReader) commits(ctx context.Context, steps []recordStep) (list []recordChange, err error) {
	return list, r.catalog.Read(ctx, func(tx catalog.Tx) error {
		for _, s := range steps {
			c, err := tx.Commit(r.state.Dataset.ID, s.commit)
			if err != nil {
				return err
			}
			before, _, err := r.stateBefore(tx, c)
			if err != nil {
				return err
			}
			list = append(list, recordChange{
				RecordChange{Commit: c, Change: changeOf(s.Step)}, s.Step, [2]string{before, c.SchemaID},
			})
		}
		return nil
	})
}

func changeOf(s snapshot.Step) string {
	switch {
	case s.Before == nil:
		return snapshot.Added
	case s.After == nil:
		return snapshot.Removed
	}
	return snapshot.Modified
}

// read reads the records of those changes in list that have the numbers. They go from one schema to another.
func (r *recordReader) read(ctx context.Context, schemas [2]string, numbers []int, list []recordChange) error {
	steps := snapshot.Steps{Key: r.key}
	var before, after []*snapshot.Place
	for _, i := range numbers {
		steps.List = append(steps.List, list[i].step)
		before, after = append(before, list[i].step.Before), append(after, list[i].step.After)
	}
	var err error
	if steps.A, err = r.side(ctx, schemas[0], before); err != nil {
		return err
	}
	if steps.B, err = r.side(ctx, schemas[1], after); err != nil {
		return err
	}
	steps.Schema = snapshot.CommonSchema(steps.A.Schema, steps.B.Schema)
	for _, columns := range snapshot.InSlices(steps.Schema.Stored()) {
		if err := r.readColumns(ctx, steps, columns, numbers, list); err != nil {
			return err
		}
	}
	return nil
}

// side is one side of some steps: the schema, and the files that hold the rows.
func (r *recordReader) side(ctx context.Context, id string, places []*snapshot.Place) (*snapshot.Snapshot, error) {
	side, holds := *r.files, map[int64]bool{}
	for _, p := range places {
		if p != nil {
			holds[p.File] = true
		}
	}
	side.Data = slices.DeleteFunc(slices.Clone(side.Data), func(f *catalog.File) bool { return !holds[f.ID] })
	return &side, r.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		side.Schema, err = tx.Schema(id)
		return err
	})
}

// readColumns adds some columns to the records of the changes.
func (r *recordReader) readColumns(
	ctx context.Context, steps snapshot.Steps, columns []schema.Column, numbers []int, list []recordChange,
) error {
	query := fmt.Sprintf("SELECT n, %s, %s, %s FROM (%s)",
		recordText("a", columns, steps.A.Schema), recordText("b", columns, steps.B.Schema),
		differing(columns, steps.Schema), steps.Joined(columns))
	return r.conn.Rows(ctx, query, func(scan duck.Scan) error {
		var n int64
		var before, after, changed string
		if err := scan(&n, &before, &after, &changed); err != nil {
			return err
		}
		c := &list[numbers[n]]
		if c.step.Before != nil {
			c.Before = withMembers(c.Before, before)
		}
		if c.step.After != nil {
			c.After = withMembers(c.After, after)
		}
		var names []string
		err := json.Unmarshal([]byte(changed), &names)
		if c.Change == snapshot.Modified {
			c.Columns = append(c.Columns, names...)
		}
		return err
	})
}

// recordText is the SQL of a record on one side, as JSON, with those of some columns that the side has.
func recordText(prefix string, columns []schema.Column, own schema.Schema) string {
	var named []schema.Column
	for _, c := range columns {
		if mine, ok := own.ByID(c.ID); ok {
			c.Name = mine.Name
			named = append(named, c)
		}
	}
	return output.Record(named, func(c schema.Column) string { return fmt.Sprintf("%s%d", prefix, c.ID) })
}

// differing is the SQL of the names of the columns whose values differ, as JSON.
func differing(columns []schema.Column, common schema.Schema) string {
	parts := []string{"CAST(NULL AS VARCHAR)"}
	for _, c := range columns {
		if !common.IsKey(c.ID) {
			parts = append(parts, fmt.Sprintf("CASE WHEN a%[1]d IS DISTINCT FROM b%[1]d THEN %[2]s END", c.ID, duck.Text(c.Name)))
		}
	}
	return "CAST(to_json(list_filter([" + strings.Join(parts, ", ") + "], lambda name: name IS NOT NULL)) AS VARCHAR)"
}

// withMembers adds the members of one JSON object to another, which is nil at first.
func withMembers(object json.RawMessage, more string) json.RawMessage {
	switch {
	case object == nil, string(object) == "{}":
		return json.RawMessage(more)
	case more == "{}":
		return object
	}
	return json.RawMessage(string(object[:len(object)-1]) + "," + more[1:])
}
