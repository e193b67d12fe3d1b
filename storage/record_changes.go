package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

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
			one := []catalog.Commit{c}
			if err := hideOrigins(ctx, tx, one); err != nil {
				return err
			}
			list = append(list, recordChange{
				RecordChange{Commit: one[0], Change: changeOf(s.Step)}, s.Step, [2]string{before, c.SchemaID},
			})
		}
		return nil
	})
}

// changeOf is what a step did to a record.
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
			parts = append(parts,
				fmt.Sprintf("CASE WHEN a%[1]d IS DISTINCT FROM b%[1]d THEN %[2]s END", c.ID, duck.Text(c.Name)))
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
