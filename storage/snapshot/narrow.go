package snapshot

import "github.com/rowback/rowback/storage/schema"

// Narrow returns the snapshot restricted to some columns and its key. It has the same rows.
func (s *Snapshot) Narrow(columns []schema.Column) *Snapshot {
	part := *s
	part.Schema = narrowed(s.Schema, columns)
	return &part
}

// narrowed returns a schema with only those of its columns that are among some, and its key.
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
