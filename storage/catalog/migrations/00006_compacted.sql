-- +goose Up

-- Compacted files: each holds the rows of other files of a fork family, with their places. They are a cache: the
-- files that they stand in for remain, and a compacted file can be made again at any time.
CREATE TABLE compacted (
    id         BIGINT PRIMARY KEY,
    family_id  TEXT NOT NULL,
    dataset_id TEXT NOT NULL, -- below which it is stored
    commit_id  BIGINT NOT NULL, -- the head that it was made at
    kind       TEXT NOT NULL,
    object_key TEXT NOT NULL,
    row_count  BIGINT NOT NULL,
    byte_count BIGINT NOT NULL,
    checksum   TEXT NOT NULL, -- SHA-256
    schema_id  TEXT NOT NULL, -- of the files that it stands in for
    sources    TEXT NOT NULL, -- JSON: the ids of these files
    without    TEXT NOT NULL -- JSON: ids of rollback files whose rows are left out
);
CREATE INDEX compacted_by_family ON compacted (family_id);

-- +goose Down
DROP TABLE compacted;
