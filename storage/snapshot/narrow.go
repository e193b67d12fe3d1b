package snapshot

import "rowback/storage/schema"

// Narrow returns the snapshot as if it had no columns but these and its key. Its rows are the same.
func (s *Snapshot) Narrow(columns []schema.Column) *Snapshot {
	part := *s
	part.Schema = narrowed(s.Schema, columns)
	return &part
}

// narrowed returns a schema with no columns but those of some and of the key, as it has them.
func narrowed(s schema.Schema, columns []schema.Column) schema.Schema {
	var kept []schema.Column
	for _, c := range s.WithKey(columns) {
		if own, ok := s.ByID(c.ID); ok && c.ID != schema.RowID {
			kept = append(kept, own)
		}
	}
	s.Columns = kept
	return s
}
