package storage

import (
	"fmt"

	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// extended returns a column with what is known of its values (schema.Extension) once those of an upload are among them.
// before is its type until then. Values that mean different things, such as coordinates in two systems, are refused;
// those of which nothing is said are taken for the column's. An upload that replaces all records decides by itself.
func (f *fitting) extended(
	c schema.Column, before schema.Type, o intake.Offered,
) (_ schema.Column, warning string, err error) {
	if len(f.only) > 0 || c.ID == schema.RowID || o.Type.Name == schema.Null {
		return c, "", nil // keys of records to delete, or no values
	}
	offered, lost := o.Extension, o.Lost
	if kept, _ := schema.Stored(o.Type); offered != nil && !kept.Settled().Equal(c.Type) {
		offered, lost = nil, offered.Name
	}
	if lost != "" {
		warning = fmt.Sprintf("Column %q came with the type %s, which is not kept: its values are returned as %s.",
			c.Name, fault.Clip(lost), c.Type)
	}
	fresh := before.Name == "" || before.Name == schema.Null
	if fresh || !before.Equal(c.Type) {
		c.Extension = nil
	}
	if offered != nil && (fresh || f.replaces) {
		c.Extension = offered
		return c, warning, nil
	}
	both, ok := c.Extension.Joined(offered)
	if !ok {
		return c, "", fault.Errorf(fault.Invalid, "extension_mismatch",
			"Column %q has values of %s and the records have %s. Convert them, send them without the extension type "+
				"if they are the same, or send all records with mode=replace.", c.Name, c.Extension, offered).
			With("column", c.Name).With("stored_extension", c.Extension.String()).
			With("offered_extension", offered.String())
	}
	c.Extension = both
	return c, warning, nil
}

// checkExtensions refuses to bring rows back whose values mean something else than those that a column has by now: a
// whole file has replaced them.
func (d *draft) checkExtensions(undone sets) error {
	if len(snapshot.OfKind(undone.closed, schema.Data))+len(snapshot.OfKind(undone.opened, schema.Rollback)) == 0 {
		return nil
	}
	for _, old := range undone.schemaBefore.Columns {
		own, is := d.schema.ByID(old.ID)
		if _, fits := own.Extension.Joined(old.Extension); is && !fits {
			return fault.Errorf(fault.Conflict, "extension_taken",
				"Commit %d can't be rolled back: values of %s would come back in column %q, which has values of %s now. "+
					"First undo the commits after it.", undone.commit.ID, old.Extension, own.Name, own.Extension).
				With("column", own.Name)
		}
	}
	return nil
}
