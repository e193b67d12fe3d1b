package catalog

import "time"

// DatasetLine is what a list of datasets is searched and sorted by, as of their heads.
type DatasetLine struct {
	ID        string
	ProjectID int64
	Name      string
	ChangedAt time.Time // of the newest commit; before the first, of the creation
	Records   int64
	Bytes     int64
	Text      string // the properties' document, as JSON; empty where it was not asked for
}

func scanDatasetLine(s scanner) (l DatasetLine, err error) {
	var changed int64
	err = s.Scan(&l.ID, &l.ProjectID, &l.Name, &changed, &l.Records, &l.Bytes, &l.Text)
	l.ChangedAt = moment(changed)
	return l, err
}

// DatasetLines lists the lines of all datasets of a project (0: of all projects) that are deleted, or are not; of a
// family only, unless it is empty; with their texts, or without. It reads a few rows of each dataset, and leaves out
// those that are vacuumed.
func (tx Tx) DatasetLines(project int64, family string, deleted, withText bool) ([]DatasetLine, error) {
	body, documents := `''`, ``
	if withText {
		body, documents = `p.body`, `JOIN documents p ON p.id = COALESCE(c.properties_id, d.properties_id)`
	}
	return list(tx, scanDatasetLine, `SELECT d.id, d.project_id, d.name, COALESCE(c.created_at, d.created_at),
		COALESCE(c.records_total, 0), COALESCE(u.byte_count, 0), `+body+`
		FROM datasets d
		LEFT JOIN lineage l ON l.dataset_id = d.id AND l.after_commit < d.head AND l.until_commit >= d.head
		LEFT JOIN commits c ON c.dataset_id = l.ancestor_id AND c.id = d.head
		`+documents+`
		LEFT JOIN usage u ON u.dataset_id = d.id
		WHERE ($1 = 0 OR d.project_id = $1) AND ($2 = '' OR d.family_id = $2) AND (d.deleted_at IS NOT NULL) = $3
		AND d.vacuumed_at IS NULL ORDER BY d.id`, project, family, deleted)
}

// CountVersions returns how many active versions a dataset has.
func (tx Tx) CountVersions(dataset string) (int64, error) {
	return get(tx, scanInt, `SELECT count(*) FROM versions WHERE dataset_id = $1 AND is_active`, dataset)
}

// CountDatasets returns how many datasets that are not deleted each project has; those without any are left out.
func (tx Tx) CountDatasets() (map[int64]int, error) {
	counts := map[int64]int{}
	_, err := list(tx, func(s scanner) (one struct{}, err error) {
		var project int64
		var n int
		err = s.Scan(&project, &n)
		counts[project] = n
		return one, err
	}, `SELECT project_id, count(*) FROM datasets WHERE deleted_at IS NULL GROUP BY project_id`)
	return counts, err
}
