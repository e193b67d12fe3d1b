package storage

import (
	"context"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/snapshot"
)

// checkCompacted compares every compacted file whose sources all served the dataset with these. One that can't be read
// is not a problem: it is not used.
func (c *checker) checkCompacted(ctx context.Context, conn *duck.Conn) error {
	list, err := c.stored.compacted.list(ctx, c.dataset.FamilyID)
	if err != nil || len(list) == 0 {
		return err
	}
	history, err := c.history(ctx, c.head)
	if err != nil {
		return err
	}
	files := map[int64]*catalog.File{}
	for _, f := range history.Files() {
		files[f.ID] = f
	}
	for _, made := range list {
		sources, known := filesIn(files, made.Sources)
		without, knownToo := filesIn(files, made.Without)
		if !known || !knownToo || !c.stored.compacted.usable(made) {
			continue
		}
		var differ int64
		query := duck.Fill(compactedDiffers, duck.Parts{
			"sources":   history.Gathered(snapshot.PartsOf(sources), made.Kind, without),
			"compacted": history.ReadFiles([]*catalog.File{&made.File}),
		})
		if err := conn.Row(ctx, query, &differ); err != nil {
			return err
		}
		if differ > 0 {
			c.found(made.CommitID, "compacted file %d (%s) differs from what it was made of in %d rows",
				made.ID, made.Key, differ)
		}
	}
	return nil
}

// filesIn returns the files with some ids; known is false where one is missing.
func filesIn(files map[int64]*catalog.File, ids []int64) (list []*catalog.File, known bool) {
	for _, id := range ids {
		f, ok := files[id]
		if !ok {
			return nil, false
		}
		list = append(list, f)
	}
	return list, true
}

// As text, since not all types can be compared.
const compactedDiffers = `WITH a AS (SELECT CAST(to_json(t) AS VARCHAR) AS r FROM ({sources}) t),
		b AS (SELECT CAST(to_json(t) AS VARCHAR) AS r FROM {compacted} t)
	SELECT count(*) FROM ((FROM a EXCEPT ALL FROM b) UNION ALL (FROM b EXCEPT ALL FROM a))`
