package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// aspect is which of the rows that a commit touched are meant. An append and a delete of one key block each other only
// if one's rows are what the other displaced.
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

// overlapping counts, for each later commit, the keys that it and the undone one both touched. Only key columns are
// read, and only of files whose bounds meet.
func (c *overlapCounter) overlapping(ctx context.Context, undone sets, later []sets) ([]int64, error) {
	out := make([]int64, len(later))
	near := map[int64]sets{}
	for i, l := range later {
		if c.mayMeet(undone.touched(), l.touched()) {
			near[int64(i)] = l
		}
	}
	if len(near) == 0 {
		return out, nil
	}
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	their, mine := side{near, touchedRows}, side{map[int64]sets{0: undone}, touchedRows}
	if err := c.leaveOut(ctx, mine, their); err != nil {
		return nil, err
	}
	query := duck.Fill(countShared, duck.Parts{
		"theirs": c.keys(their), "mine": c.keys(mine),
		"same_key": sameKey(c.head.Schema.KeyColumns(), "t", "m"),
	})
	return out, c.conn.Rows(ctx, query, func(scan duck.Scan) error {
		var owner, n int64
		err := scan(&owner, &n)
		out[owner] = n
		return err
	})
}

// overlapCounter counts the records that commits have in common. It opens files only where it has to.
type overlapCounter struct {
	from    *History
	head    *snapshot.Snapshot
	conn    *duck.Conn         // nil until a file has to be read
	history *snapshot.Snapshot // all files that ever served the dataset; nil until then
	absent  map[int64]bool     // files that have no key in common with the other side (leaveOut)
}

// end frees the connection, if there was one.
func (c *overlapCounter) end() {
	if c.conn != nil {
		c.conn.Close()
	}
}

// begin makes ready to read files.
func (c *overlapCounter) begin(ctx context.Context) (err error) {
	if c.conn == nil {
		if c.conn, err = c.from.stored.Conn(ctx); err != nil {
			return err
		}
	}
	if c.history == nil {
		c.history, err = c.from.history(ctx, c.head)
	}
	return err
}

// blocking finds the commits that stand, once what is in the way is undone, and block any of that, or the commit
// itself.
func (c *overlapCounter) blocking(ctx context.Context, p Policy, u *undoing) (more []int64, err error) {
	undone := u.all()
	var standing []sets
	for _, l := range u.after {
		if undoneBy(u.marks, l) != 0 {
			continue
		}
		did := u.did[l.ID]
		if slices.ContainsFunc(undone, func(m sets) bool {
			return u.follows(l, m.commit.ID) && slices.ContainsFunc(u.since(did, m.commit.ID), func(part sets) bool {
				return isInTheWay(p, m, part)
			})
		}) {
			more = append(more, l.ID)
			continue
		}
		standing = append(standing, did)
	}
	pairs := [][2]aspect{{addedRows, displacedRows}, {displacedRows, addedRows}}
	if p == Records {
		pairs = [][2]aspect{{touchedRows, touchedRows}}
	}
	for _, pair := range pairs {
		met, err := c.meeting(ctx, u, undone, standing, pair[0], pair[1])
		if err != nil {
			return nil, err
		}
		more = append(more, met...)
	}
	return more, nil
}

// meeting finds the commits, of those that stand, that share a key with one of the undone: theirs as one aspect has it
// and its as another.
func (c *overlapCounter) meeting(
	ctx context.Context, u *undoing, undone, standing []sets, mine, theirs aspect,
) (met []int64, err error) {
	own, near := map[int64]sets{}, newFollowers()
	for _, m := range undone {
		for _, did := range standing {
			if !u.follows(did.commit, m.commit.ID) {
				continue
			}
			for _, part := range u.since(did, m.commit.ID) {
				if c.mayMeet(m.files(mine), part.files(theirs)) {
					own[m.commit.ID] = m
					near.add(part, m.commit.ID)
				}
			}
		}
	}
	if len(own) == 0 {
		return nil, nil
	}
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	if err := c.leaveOut(ctx, side{own, mine}, side{near.parts, theirs}); err != nil {
		return nil, err
	}
	query := duck.Fill(findMeeting, duck.Parts{
		"theirs": c.keys(side{near.parts, theirs}), "mine": c.keys(side{own, mine}),
		"same_key": sameKey(c.head.Schema.KeyColumns(), "t", "m"),
	})
	return met, c.conn.Rows(ctx, query, func(scan duck.Scan) error {
		var part, commit int64
		err := scan(&part, &commit)
		if later := near.parts[part].commit; near.earlier[part][commit] {
			met = append(met, later.ID)
		}
		return err
	})
}

// mayMeet reports whether a key may be in files of both lists, by their bounds. Files without bounds may hold any key.
func (c *overlapCounter) mayMeet(mine, theirs []*catalog.File) bool {
	order := snapshot.OrderOf(c.head.Schema.KeyColumns()[0].Type)
	return slices.ContainsFunc(theirs, func(f *catalog.File) bool {
		return slices.ContainsFunc(mine, func(m *catalog.File) bool { return order.Overlap(m.Bounds, f.Bounds) })
	})
}

const (
	countShared = `SELECT owner, count(*)
		FROM (SELECT DISTINCT * FROM ({theirs})) t SEMI JOIN ({mine}) m ON {same_key}
		GROUP BY owner`
	findMeeting = `SELECT DISTINCT t.owner, m.owner FROM ({theirs}) t JOIN ({mine}) m ON {same_key}`
	// Files of one schema are read by one scan, however many commits they are of: the place of each file in it says
	// whose it is.
	keysOfFiles = `SELECT CAST([{owners}][CAST(file_index AS BIGINT) + 1] AS BIGINT) AS owner, {keys}
		FROM read_parquet([{files}], hive_partitioning = false)`
	keysOfSide = `SELECT CAST({owner} AS BIGINT) AS owner, {key} FROM ({side})`
)

// keys is the SQL of the keys of a side, each with the number of its commit.
func (c *overlapCounter) keys(s side) string {
	type owned struct{ paths, owners []string }
	groups := map[string]*owned{} // by the schema that the files were written with
	var parts []string
	for i, commit := range s.of {
		if commit.between != nil {
			parts = append(parts, c.mixedKeys(i, commit.between, s.aspect)...)
			continue
		}
		for _, f := range commit.files(s.aspect) {
			if c.absent[f.ID] {
				continue
			}
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
	if len(parts) == 0 {
		return noKeys(c.head.Schema.KeyColumns())
	}
	return strings.Join(parts, " UNION ALL ")
}

// mixedKeys is the SQL of the keys that a mixed commit touched.
func (c *overlapCounter) mixedKeys(owner int64, d *snapshot.Difference, a aspect) (parts []string) {
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

// isInTheWay reports whether a later commit blocks, by what is known of both without a look at their records. One that
// changed nothing does not.
func isInTheWay(p Policy, undone, later sets) bool {
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
	// Where it undid that, what the undone one closed or opened is not as it left it. Under stack every later commit
	// that overwrites or upserts blocks, whatever its keys (seed 003).
	return later.undid(undone) || p == Stack && later.replaces && len(later.touched())+len(later.columns) > 0
}
