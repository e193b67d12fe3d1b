-- +goose Up

-- Names that people give to commits, and may move.
CREATE TABLE tags (
    dataset_id  TEXT NOT NULL REFERENCES datasets (id),
    name        TEXT NOT NULL,
    commit_id   BIGINT NOT NULL,
    description TEXT NOT NULL,
    user_name   TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (dataset_id, name)
);

-- JSON that a version was given.
ALTER TABLE versions ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';

-- +goose Down
ALTER TABLE versions DROP COLUMN metadata;
DROP TABLE tags;
