package storage

import (
	"context"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// checkStored makes sure that the values which are stored, live or not, fit the new types of widened columns: an
// earlier version may be restored.
func (w *work) checkStored(ctx context.Context, widened []schema.Column) error {
	if len(widened) == 0 {
		return nil
	}
	// All that was ever stored, not what is live: an earlier version may be restored, and is read with this schema's
	// types.
	history, err := w.store.history(ctx, w.head)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(widened, partColumns) {
		if err := checkFit(ctx, w.conn, history, w.head.Schema, some); err != nil {
			return err
		}
	}
	return nil
}

// checkFit makes sure that the values in a snapshot's files fit the new types of some columns, which a schema has with
// the types before. The values are those of every file that has the column, whichever version is the last to show them.
func checkFit(
	ctx context.Context, conn *duck.Conn, history *snapshot.Snapshot, before schema.Schema, widened []schema.Column,
) error {
	old, fit := make([]schema.Column, len(widened)), make([]bool, len(widened))
	list, dest := make([]string, len(widened)), make([]any, len(widened))
	for i, c := range widened {
		old[i] = storedType(before, c.ID)
		v := schema.ColumnName(c.ID)
		list[i] = duck.Fill(allBecome, duck.Parts{"value": v, "becomes": becomes(v, old[i].Type, c.Type)})
		dest[i] = &fit[i]
	}
	query := "SELECT " + strings.Join(list, ", ") + " FROM (" + history.EveryValue(old...) + ")"
	if err := conn.Row(ctx, query, dest...); err != nil {
		return err
	}
	if i := slices.Index(fit, false); i >= 0 {
		return mismatch(old[i], widened[i].Type, "which can't hold all the values that are stored")
	}
	return nil
}

const allBecome = "coalesce(bool_and({value} IS NULL OR coalesce({becomes}, false)), true)"

// storedType returns a column that is, or was and is retired. A column that a restore took out is retired: its values
// are still in files.
func storedType(s schema.Schema, id int) schema.Column {
	if c, ok := s.ByID(id); ok {
		return c
	}
	i := slices.IndexFunc(s.Retired, func(c schema.Column) bool { return c.ID == id })
	return s.Retired[i]
}

// history returns a snapshot of every file that ever served the dataset: not a state, but all that was stored.
func (h *History) history(ctx context.Context, head *snapshot.Snapshot) (*snapshot.Snapshot, error) {
	out := *head
	out.Data, out.Rollbacks = nil, nil
	err := h.catalog.Read(ctx, func(tx catalog.Tx) error {
		files, err := tx.AllFiles(head.Dataset.ID)
		if err != nil {
			return err
		}
		return out.Adopt(tx, files)
	})
	return &out, err
}

// becomes is the condition that v, of type from, is a whole value of another type: a text as uploads have it, another
// value if it comes back the same.
func becomes(v string, from, to schema.Type) string {
	if from.Name == schema.Varchar && !to.Nested() {
		return textFits(v, to)
	}
	return "TRY(" + snapshot.Cast(to, from, snapshot.Cast(from, to, v)) + ") IS NOT DISTINCT FROM " + v
}
