package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// write writes the dataset's history into the second store, with ids that the store into which it goes gives to no one
// else.
func (c *grafting) write(ctx context.Context, into *Store) error {
	err := c.from.catalog.Read(ctx, func(tx catalog.Tx) (err error) { c.line, err = lineOf(tx, c.was.ID); return err })
	if err != nil {
		return err
	}
	if err := c.draw(ctx, into); err != nil {
		return err
	}
	c.begin()
	if err := c.describe(); err != nil {
		return err
	}
	c.name()
	for i := range c.manifests {
		if err := c.writeCommit(ctx, &c.manifests[i]); err != nil {
			return err
		}
	}
	for _, l := range c.labels {
		if err := c.to.putText(labelKey(c.made.Dataset.ID, l.name), l.text); err != nil {
			return err
		}
	}
	return c.to.catalog.Write(ctx, func(tx catalog.Tx) error { return c.to.recordGraft(tx, c.made, c.manifests) })
}

// draw reserves the ids: as many as the backup's store has given, so that all of them grow by the same number.
func (c *grafting) draw(ctx context.Context, into *Store) error {
	if c.dry {
		return into.catalog.Read(ctx, c.guess)
	}
	commit, err := into.catalog.Draw(ctx, "", catalog.CommitIDs, max(c.line.used.Commit, 1))
	if err != nil {
		return err
	}
	file, err := into.catalog.Draw(ctx, "", catalog.FileIDs, max(c.line.used.File, 1))
	if err != nil {
		return err
	}
	c.shift.commit, c.shift.file = commit-1, file-1
	var highest int64
	for _, v := range c.versions {
		highest = max(highest, v.ID)
	}
	return into.catalog.Write(ctx, func(tx catalog.Tx) error {
		last, err := tx.Last("version")
		c.shift.version = last
		if err != nil || highest == 0 {
			return err
		}
		return tx.Advance("version", last+highest)
	})
}

// guess sets the ids to those that would be drawn now.
func (c *grafting) guess(tx catalog.Tx) (err error) {
	for sequence, shift := range map[string]*int64{
		catalog.CommitIDs: &c.shift.commit, catalog.FileIDs: &c.shift.file, "version": &c.shift.version,
	} {
		if *shift, err = tx.Last(sequence); err != nil {
			return err
		}
	}
	return nil
}

// begin makes the new dataset begin as the one in the backup did, but for its name and its ids.
func (c *grafting) begin() {
	d := &c.made.Dataset
	c.made.Schema, c.made.Properties = c.start.Schema, c.renamed(c.start.Properties)
	d.CreatedAt, d.SchemaID = c.start.Dataset.CreatedAt, c.start.Dataset.SchemaID
	if id, err := catalog.DocumentID(c.made.Properties); err == nil {
		d.PropertiesID = id
	}
}

// writeCommit writes the files and the description of a commit, and of those that it played.
func (c *grafting) writeCommit(ctx context.Context, m *manifest) error {
	batch, err := c.to.blobs.Batch(commitKey(m.Commit.DatasetID, m.Commit.ID))
	if err != nil {
		return err
	}
	defer batch.Discard() //nolint:errcheck // the next start empties the directory
	part := 0
	all := []*manifest{}
	for i := range m.Played {
		all = append(all, &m.Played[i])
	}
	for _, one := range append(all, m) {
		for i, f := range one.Opened {
			if one.Opened[i], err = c.writeFile(ctx, batch, part, one, f); err != nil {
				return err
			}
			part++
		}
	}
	text, err := sealed(m)
	if err != nil {
		return err
	}
	if err := batch.Write(descriptionFile, text); err != nil {
		return err
	}
	return batch.Publish()
}

// writeFile writes a file again with the new ids, on a connection of its own, like a removal does.
func (c *grafting) writeFile(
	ctx context.Context, batch *blob.Batch, part int, m *manifest, f *catalog.File,
) (*catalog.File, error) {
	old := c.files[f.ID-c.shift.file]
	conn, err := c.from.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	d := &draft{commit: m.Commit, schema: m.Schema, properties: m.Properties}
	d.head = snapshot.New(snapshot.State{}, c.from.pathOf)
	w := &fileWriter{
		draft: d, workspace: &workspace{files: c.from.Files, staging: c.from.Staging, batch: batch, conn: conn},
		part: part, ids: map[schema.Kind]int64{f.Kind: f.ID},
	}
	query := func(columns []schema.Column) string { return c.rows(old, columns) }
	floats := slices.DeleteFunc(d.schema.Stored(), func(c schema.Column) bool { return !hasFloats(c.Type) })
	if f.Rows > smallRows && len(floats) > 0 {
		if w.plain, err = needPlain(ctx, conn, query(floats), floats, f.Rows); err != nil {
			return nil, err
		}
	}
	if err := w.write(ctx, f.Kind, f.Rows, query); err != nil {
		return nil, err
	}
	now := w.opened[0]
	now.SchemaID = m.Commit.SchemaID
	now.Bounds, now.Targets, now.Stats = f.Bounds, f.Targets, f.Stats
	return now, nil
}

// rows is the SQL of a file's rows, in their order, with the new ids. Its columns are those of the commit that opens it
// here, which of a linked file may be another than the one that wrote it.
func (c *grafting) rows(f *catalog.File, columns []schema.Column) string {
	has := c.schemas[f.SchemaID]
	list := make([]string, len(columns))
	for i, to := range columns {
		switch to.ID {
		case schema.CommitID:
			list[i] = fmt.Sprintf("CAST(%s + %d AS BIGINT)", duck.Ident(to.Name), c.shift.commit)
		case schema.FileID:
			list[i] = fmt.Sprintf("CAST(%s + %d AS BIGINT)", duck.Ident(to.Name), c.shift.file)
		case schema.PosID:
			list[i] = duck.Ident(to.Name)
		default:
			list[i] = storedValue(has, to)
		}
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM read_parquet([" + duck.Text(c.from.pathOf(f)) +
		"], hive_partitioning = false)"
}

// storedValue is the SQL of a column in a file that has another schema.
func storedValue(has schema.Schema, to schema.Column) string {
	from, ok := has.ByID(to.ID)
	switch {
	case !ok:
		return "CAST(NULL AS " + to.Type.SQL() + ")"
	case from.Type.Equal(to.Type):
		return duck.Ident(from.Name)
	}
	return "CAST(" + duck.Ident(from.Name) + " AS " + to.Type.SQL() + ")"
}
