-- +goose Up

-- A fork's commits up to fork_commit are those of its upstream, under the same ids.
ALTER TABLE datasets ADD COLUMN upstream_id TEXT;
ALTER TABLE datasets ADD COLUMN fork_commit BIGINT NOT NULL DEFAULT 0;
CREATE INDEX datasets_by_upstream ON datasets (upstream_id);

-- A namesake was made under a name that another dataset of its project had: it is asked for by its id.
ALTER TABLE datasets ADD COLUMN is_namesake BOOLEAN NOT NULL DEFAULT FALSE;
DROP INDEX datasets_by_name;
CREATE UNIQUE INDEX datasets_by_name ON datasets (project_id, name) WHERE deleted_at IS NULL AND NOT is_namesake;

-- The merge that a commit was played by: its commits come before it, and are undone with it.
ALTER TABLE commits ADD COLUMN merge_commit_id BIGINT;
CREATE INDEX commits_by_merge ON commits (dataset_id, merge_commit_id);
CREATE INDEX commits_by_hash ON commits (dataset_id, hash);

-- +goose Down
DROP INDEX commits_by_hash;
DROP INDEX commits_by_merge;
ALTER TABLE commits DROP COLUMN merge_commit_id;
DROP INDEX datasets_by_name;
ALTER TABLE datasets DROP COLUMN is_namesake;
CREATE UNIQUE INDEX datasets_by_name ON datasets (project_id, name) WHERE deleted_at IS NULL;
DROP INDEX datasets_by_upstream;
ALTER TABLE datasets DROP COLUMN fork_commit;
ALTER TABLE datasets DROP COLUMN upstream_id;
