package storage

import (
	"context"
	"slices"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
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
	for _, c := range widened {
		old := storedType(w.head.Schema, c.ID)
		var fits bool
		query := duck.Fill(allBecome, duck.Parts{
			"becomes": becomes(old.Type, c.Type), "values": history.EveryValue(old),
		})
		if err := w.conn.Row(ctx, query, &fits); err != nil {
			return err
		}
		if !fits {
			return mismatch(old, c.Type, "which can't hold all the values that are stored")
		}
	}
	return nil
}

const allBecome = `SELECT coalesce(bool_and(v IS NULL OR coalesce({becomes}, false)), true) FROM ({values}) t(v)`

// storedType returns a column that is, or was and is retired.
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
func becomes(from, to schema.Type) string {
	if from.Name == schema.Varchar && !to.Nested() {
		return textFits("v", to)
	}
	return "TRY(" + snapshot.Cast(to, from, snapshot.Cast(from, to, "v")) + ") IS NOT DISTINCT FROM v"
}
