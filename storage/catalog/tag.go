package catalog

import (
	"database/sql"
	"time"
)

// Tag is a name that people give to a commit, and may move to another.
type Tag struct {
	DatasetID   string    `json:"dataset_id"`
	Name        string    `json:"name"`
	CommitID    int64     `json:"commit_id"`
	Description string    `json:"description"`
	User        string    `json:"user"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	VacuumedAt  time.Time `json:"-"` // when its state was removed by vacuum; zero: it can be read
}

const tagColumns = `dataset_id, name, commit_id, description, user_name, created_at, updated_at`

const tagRow = tagColumns + `, (SELECT c.vacuumed_at` + commitNamed + `)`

func scanTag(s scanner) (t Tag, err error) {
	var created, updated int64
	var vacuumed sql.NullInt64
	err = s.Scan(&t.DatasetID, &t.Name, &t.CommitID, &t.Description, &t.User, &created, &updated, &vacuumed)
	t.CreatedAt, t.UpdatedAt = moment(created), moment(updated)
	if vacuumed.Valid {
		t.VacuumedAt = moment(vacuumed.Int64)
	}
	return t, err
}

// Tags lists a dataset's tags by name.
func (tx Tx) Tags(dataset string) ([]Tag, error) {
	return list(tx, scanTag, `SELECT `+tagRow+` FROM tags v WHERE dataset_id = $1 ORDER BY name`, dataset)
}

// Tag returns one tag of a dataset.
func (tx Tx) Tag(dataset, name string) (Tag, error) {
	return get(tx, scanTag, `SELECT `+tagRow+` FROM tags v WHERE dataset_id = $1 AND name = $2`, dataset, name)
}

// PutTag adds a tag, or changes the one of that name.
func (tx Tx) PutTag(t Tag) error {
	return tx.exec(`INSERT INTO tags (`+tagColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (dataset_id, name) DO UPDATE SET commit_id = excluded.commit_id, description = excluded.description,
		user_name = excluded.user_name, created_at = excluded.created_at, updated_at = excluded.updated_at`,
		t.DatasetID, t.Name, t.CommitID, t.Description, t.User, micros(t.CreatedAt), micros(t.UpdatedAt))
}

// RemoveTag removes a tag, if it is there.
func (tx Tx) RemoveTag(dataset, name string) error {
	return tx.exec(`DELETE FROM tags WHERE dataset_id = $1 AND name = $2`, dataset, name)
}
