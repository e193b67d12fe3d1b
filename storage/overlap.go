package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// aspect is which of the rows that a commit touched are meant.
type aspect int

const (
	touchedRows   aspect = iota
	addedRows            // became live with it
	displacedRows        // ceased to be live with it
)

// files returns the files that hold the rows of an aspect: a data file that is opened, or a rollback file that is
// closed, adds its rows; the other way round, it displaces them.
func (c sets) files(a aspect) []*catalog.File {
	switch a {
	case addedRows:
		return append(snapshot.OfKind(c.opened, schema.Data), snapshot.OfKind(c.closed, schema.Rollback)...)
	case displacedRows:
		return append(snapshot.OfKind(c.closed, schema.Data), snapshot.OfKind(c.opened, schema.Rollback)...)
	}
	return c.touched()
}

// overlaps counts, for each later commit, the keys that it has in common with the undone one. Only key columns are
// read, and only of files whose bounds meet.
func (h *History) overlaps(ctx context.Context, head *snapshot.Snapshot, undone sets, later []sets) ([]overlap, error) {
	out := make([]overlap, len(later))
	if len(undone.touched()) == 0 {
		return out, nil
	}
	conn, err := h.stored.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	c := overlapCounter{from: h, conn: conn, head: head}
	for _, pair := range []struct {
		mine, theirs aspect
		count        func(*overlap) *int64
	}{
		{touchedRows, touchedRows, func(o *overlap) *int64 { return &o.touched }},
		{addedRows, displacedRows, func(o *overlap) *int64 { return &o.undoes }},
		{displacedRows, addedRows, func(o *overlap) *int64 { return &o.collides }},
	} {
		found := func(i int, n int64) { *pair.count(&out[i]) = n }
		if err := c.count(ctx, undone, pair.mine, later, pair.theirs, found); err != nil {
			return nil, err
		}
	}
	return out, nil
}

type overlapCounter struct {
	from    *History
	conn    *duck.Conn
	head    *snapshot.Snapshot
	history *snapshot.Snapshot // all files that ever served the dataset, once one has to be read
}

// count tells for each later commit how many keys one aspect of it shares with one of the undone commit.
func (c *overlapCounter) count(
	ctx context.Context, undone sets, mine aspect, later []sets, theirs aspect, found func(i int, n int64),
) error {
	order := snapshot.OrderOf(c.head.Schema.KeyColumns()[0].Type)
	own := undone.files(mine)
	// Bounds are compared before anything is opened: commits that touched other keys cost nothing.
	near := map[int]sets{}
	for i, l := range later {
		if slices.ContainsFunc(l.files(theirs), func(f *catalog.File) bool {
			return slices.ContainsFunc(own, func(m *catalog.File) bool { return order.Overlap(m.Bounds, f.Bounds) })
		}) {
			near[i] = l
		}
	}
	if len(near) == 0 {
		return nil
	}
	// Read once, and only if bounds meet: most rollbacks need no file at all.
	if c.history == nil {
		var err error
		if c.history, err = c.from.history(ctx, c.head); err != nil {
			return err
		}
	}
	query := duck.Fill(countShared, duck.Parts{
		"theirs": c.keys(near, theirs), "mine": c.keys(map[int]sets{0: undone}, mine),
		"same_key": sameKey(c.head.Schema.KeyColumns(), "t", "m"),
	})
	return c.conn.Rows(ctx, query, func(scan duck.Scan) error {
		var owner int
		var n int64
		err := scan(&owner, &n)
		found(owner, n)
		return err
	})
}

const (
	countShared = `SELECT owner, count(*)
		FROM (SELECT DISTINCT * FROM ({theirs})) t SEMI JOIN ({mine}) m ON {same_key}
		GROUP BY owner`
	// Files of one schema are read by one scan, however many commits they are of: the place of each file in it says whose
	// it is.
	keysOfFiles = `SELECT [{owners}][CAST(file_index AS BIGINT) + 1] AS owner, {keys}
		FROM read_parquet([{files}], hive_partitioning = false)`
	keysOfSide = `SELECT {owner} AS owner, {key} FROM ({side})`
)

// keys is the SQL of the keys that one aspect of some commits has, each with the number of its commit.
func (c *overlapCounter) keys(of map[int]sets, a aspect) string {
	type owned struct{ paths, owners []string }
	groups := map[string]*owned{} // by the schema that the files were written with
	var parts []string
	for i, commit := range of {
		if commit.between != nil {
			parts = append(parts, c.mixedKeys(i, commit.between, a)...)
			continue
		}
		for _, f := range commit.files(a) {
			g := groups[f.SchemaID]
			if g == nil {
				g = &owned{}
				groups[f.SchemaID] = g
			}
			g.paths = append(g.paths, duck.Text(c.from.stored.pathOf(f)))
			g.owners = append(g.owners, fmt.Sprint(i))
		}
	}
	for id, g := range groups {
		var keys []string
		for _, k := range c.head.Schema.KeyColumns() {
			keys = append(keys, snapshot.FromFile(c.history.Schemas[id], k)+" AS "+schema.ColumnName(k.ID))
		}
		parts = append(parts, duck.Fill(keysOfFiles, duck.Parts{
			"owners": strings.Join(g.owners, ", "), "keys": strings.Join(keys, ", "),
			"files": strings.Join(g.paths, ", "),
		}))
	}
	return strings.Join(parts, " UNION ALL ")
}

// mixedKeys is the SQL of the keys that a mixed commit touched.
func (c *overlapCounter) mixedKeys(owner int, d *snapshot.Difference, a aspect) (parts []string) {
	keys := func(side string) string {
		key := keyList(c.head.Schema.KeyColumns())
		return duck.Fill(keysOfSide, duck.Parts{"owner": owner, "key": key, "side": side})
	}
	if a != addedRows {
		parts = append(parts, keys(d.SideA()))
	}
	if a != displacedRows {
		parts = append(parts, keys(d.SideB()))
	}
	return parts
}

// overlap is how many records a later commit and the undone one have in common.
type overlap struct {
	touched int64 // either of them in any way
	// Displaced by the later one, added by the undone one: undoing both in this order would bring back rows that are gone.
	undoes int64
	// Added by the later one, displaced by the undone one: two live records would have one key.
	collides int64
}

func (o overlap) blocks(p Policy, undone, later sets) bool {
	common := func(a, b []string) bool {
		return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
	}
	// Both changed the same property: the value before the undone one is not the one to go back to.
	if common(undone.fields, later.fields) {
		return true
	}
	inBoth := func(id int) bool { return slices.Contains(later.columns, id) }
	// Both changed the same variable, and the undone one was about variables.
	if undone.explicit && slices.ContainsFunc(undone.columns, inBoth) {
		return true
	}
	if len(undone.touched()) == 0 {
		return false
	}
	// What the undone one closed or opened is not as it left it: a restore, or another rollback, took that back.
	if later.undid(undone) {
		return true
	}
	// Under the policy records, keys in common are all that counts; under stack every later commit that overwrites or
	// upserts blocks, whatever its keys (seed 003).
	if p == Records {
		return o.touched > 0
	}
	return later.replaces || o.undoes > 0 || o.collides > 0
}
