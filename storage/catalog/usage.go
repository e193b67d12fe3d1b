package catalog

// Usage is what the datasets of a project store.
type Usage struct {
	Bytes   int64 // of data and rollback files, those of past states and of deleted datasets included
	Records int64 // that are live in datasets that are not deleted
}

// Usage returns what a project stores. It reads rows of datasets, not of files.
func (tx Tx) Usage(project int64) (u Usage, err error) {
	err = tx.row(`SELECT COALESCE(SUM(u.byte_count), 0) FROM datasets d JOIN usage u ON u.dataset_id = d.id
		WHERE d.project_id = $1`, []any{project}, &u.Bytes)
	if err != nil {
		return u, err
	}
	err = tx.row(`SELECT COALESCE(SUM(c.records_total), 0) FROM datasets d
		JOIN lineage l ON l.dataset_id = d.id
		JOIN commits c ON c.dataset_id = l.ancestor_id AND c.id = d.head
		WHERE d.project_id = $1 AND d.deleted_at IS NULL AND c.id > l.after_commit AND c.id <= l.until_commit`,
		[]any{project}, &u.Records)
	return u, err
}
