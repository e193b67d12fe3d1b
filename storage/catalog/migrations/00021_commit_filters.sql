-- +goose Up

-- Commits are filtered by their mode, which until now was indexed for three of them, and by who made them. Both indexes
-- have all commits. They are partial because SQLite would otherwise read a range of ids instead.
DROP INDEX commits_by_mode;
CREATE INDEX commits_by_mode ON commits (dataset_id, mode, id)
    WHERE mode = 'append' OR mode = 'overwrite' OR mode = 'upsert' OR mode = 'replace' OR mode = 'delete'
    OR mode = 'rollback' OR mode = 'restore' OR mode = 'schema' OR mode = 'edit' OR mode = 'fork' OR mode = 'merge';
CREATE INDEX commits_by_user ON commits (dataset_id, user_name, id) WHERE user_name IS NOT NULL;

-- +goose Down
DROP INDEX commits_by_user;
DROP INDEX commits_by_mode;
CREATE INDEX commits_by_mode ON commits (dataset_id, mode, id)
    WHERE mode = 'rollback' OR mode = 'restore' OR mode = 'merge';
