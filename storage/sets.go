package storage

import (
	"errors"
	"reflect"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// sets is what a commit did to the rows: keys and entries. It is read from the catalog alone. A merge counts as one
// commit that did what it played.
type sets struct {
	commit  catalog.Commit
	opened  []*catalog.File
	closed  []*catalog.File
	columns []int    // field ids of columns that it changed
	fields  []string // properties that it changed

	first            catalog.Commit           // of a merge, the first that it played; else the commit itself
	replaces         bool                     // it overwrote or upserted
	explicit         bool                     // it, or what it undid in the end, changed columns because people said so
	schemas          map[string]schema.Schema // of its files
	schemaBefore     schema.Schema            // where columns changed
	propertiesBefore catalog.Properties       // where fields changed
	between          *snapshot.Difference     // of a mixed commit: the states before and after it
	part             int64                    // of a part of a cascade: the commit that it undid; else 0
}

// touched are the files that it opened or closed.
func (c sets) touched() []*catalog.File { return append(slices.Clone(c.opened), c.closed...) }

// isMixed reports whether the commit opened or closed data files together with positions displaced in them, as a
// restore may. Then its files alone do not tell which rows became live or ceased to be.
func (c sets) isMixed() bool {
	data := map[int64]bool{}
	for _, f := range c.touched() {
		data[f.ID] = f.Kind == schema.Data
	}
	return slices.ContainsFunc(c.touched(), func(f *catalog.File) bool { return snapshot.TargetsAny(f, data) })
}

// undid reports whether the commit closed what another had opened, or opened what that had closed.
func (c sets) undid(other sets) bool {
	common := func(a, b []*catalog.File) bool { return len(snapshot.Without(a, b)) < len(a) }
	return common(c.closed, other.opened) || common(c.opened, other.closed)
}

// setsOf reads what a commit did.
func (h *History) setsOf(tx catalog.Tx, c catalog.Commit) (out sets, err error) {
	out.commit = c
	if err := checkChange(c, c); err != nil {
		return out, err
	}
	if err := out.learn(tx); err != nil {
		return out, err
	}
	// Its files alone do not tell which rows it changed, so the states around it are compared.
	if out.isMixed() {
		if out.between, err = h.statesAround(tx, out.first, c); err != nil {
			return out, err
		}
	}
	schemaID, propertiesID, err := h.stateBefore(tx, out.first)
	if err != nil {
		return out, err
	}
	if schemaID != c.SchemaID {
		after, errAfter := tx.Schema(c.SchemaID)
		out.schemaBefore, err = tx.Schema(schemaID)
		if err = errors.Join(err, errAfter); err != nil {
			return out, err
		}
		out.columns = changedColumns(out.schemaBefore, after)
	}
	if propertiesID != c.PropertiesID {
		after, errAfter := tx.Properties(c.PropertiesID)
		out.propertiesBefore, err = tx.Properties(propertiesID)
		if err = errors.Join(err, errAfter); err != nil {
			return out, err
		}
		out.fields = changedFields(out.propertiesBefore, after)
	}
	return out, nil
}

// replacing are the modes that put records in place of others.
var replacing = []catalog.Mode{catalog.Overwrite, catalog.Upsert, catalog.Replace}

// learn reads what the commit, or what it played, opened and closed, and what it is in the end.
func (c *sets) learn(tx catalog.Tx) (err error) {
	var played []catalog.Commit
	if c.commit.Mode == catalog.Merge {
		if played, err = tx.Played(c.commit.DatasetID, c.commit.ID); err != nil {
			return err
		}
	}
	c.first = append(played, c.commit)[0]
	for _, p := range append(played, c.commit) {
		c.replaces = c.replaces || slices.Contains(replacing, p.Mode)
		explicit, err := isExplicit(tx, p)
		if err != nil {
			return err
		}
		c.explicit = c.explicit || explicit
	}
	opened, errOpened := tx.Opened(c.commit.DatasetID, c.first.ID, c.commit.ID)
	closed, errClosed := tx.Closed(c.commit.DatasetID, c.first.ID, c.commit.ID)
	if err := errors.Join(errOpened, errClosed); err != nil {
		return err
	}
	// A file that a merge closed and reopened is as it was.
	c.opened, c.closed = snapshot.Without(opened, closed), snapshot.Without(closed, opened)
	c.schemas, err = snapshot.SchemasOf(tx, c.touched())
	return err
}

// statesAround is the difference of the states before one commit and after another.
func (h *History) statesAround(tx catalog.Tx, first, last catalog.Commit) (*snapshot.Difference, error) {
	d, err := tx.Dataset(first.DatasetID)
	if err != nil {
		return nil, err
	}
	before, err := h.snapshot(tx, d, first.Previous)
	if err != nil {
		return nil, err
	}
	after, err := h.snapshot(tx, d, last.ID)
	if err != nil {
		return nil, err
	}
	return snapshot.Diff(before, after), nil
}

// stateBefore returns the documents of the state that a commit was made on. It is refused if that can't be read any
// more.
func (h *History) stateBefore(tx catalog.Tx, c catalog.Commit) (schemaID, propertiesID string, err error) {
	if c.Previous == 0 {
		d, err := tx.Dataset(c.DatasetID)
		return d.SchemaID, d.PropertiesID, err
	}
	before, err := tx.Commit(c.DatasetID, c.Previous)
	if err == nil {
		err = checkChange(c, before)
	}
	return before.SchemaID, before.PropertiesID, err
}

// changedColumns returns the field ids of the columns that differ between two schemas. Anything about a column counts:
// its name, type, title, description, derivation or categories.
func changedColumns(a, b schema.Schema) (out []int) {
	known := make(map[int]bool, len(a.Columns))
	for _, x := range a.Columns {
		known[x.ID] = true
		if y, inB := b.ByID(x.ID); !inB || !reflect.DeepEqual(x, y) {
			out = append(out, x.ID)
		}
	}
	for _, y := range b.Columns {
		if !known[y.ID] {
			out = append(out, y.ID)
		}
	}
	return out
}
