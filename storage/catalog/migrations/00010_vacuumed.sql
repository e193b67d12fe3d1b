-- +goose Up

-- When the state after a commit became unavailable: what only it had of rows is gone. NULL: it can be read.
ALTER TABLE commits ADD COLUMN vacuumed_at BIGINT;
CREATE INDEX commits_vacuumed ON commits (dataset_id, id) WHERE vacuumed_at IS NOT NULL;

-- When a deleted dataset was removed for good; NULL: it can be brought back.
ALTER TABLE datasets ADD COLUMN vacuumed_at BIGINT;

-- +goose Down
ALTER TABLE datasets DROP COLUMN vacuumed_at;
DROP INDEX commits_vacuumed;
ALTER TABLE commits DROP COLUMN vacuumed_at;
