-- +goose Up

-- The last number given in each catalog-wide sequence.
CREATE TABLE sequences (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);
INSERT INTO sequences (name, last) VALUES ('commit', 0), ('file', 0), ('version', 0);

-- A fork family: a dataset and its forks. Row and field numbers are given once in it.
CREATE TABLE families (
    id         TEXT PRIMARY KEY,
    last_row   BIGINT NOT NULL,
    last_field BIGINT NOT NULL
);

-- Schemas and properties, as JSON, named by the SHA-256 of their text: most commits share one.
CREATE TABLE documents (
    id   TEXT PRIMARY KEY,
    body TEXT NOT NULL
);

CREATE TABLE datasets (
    id            TEXT PRIMARY KEY,
    family_id     TEXT NOT NULL REFERENCES families (id),
    project_id    BIGINT NOT NULL,
    name          TEXT NOT NULL,
    head          BIGINT NOT NULL, -- the newest commit; 0: none yet
    schema_id     TEXT NOT NULL REFERENCES documents (id), -- as it was made, before any commit
    properties_id TEXT NOT NULL REFERENCES documents (id),
    created_at    BIGINT NOT NULL, -- microseconds since 1970, UTC, as every time here
    deleted_at    BIGINT
);
CREATE UNIQUE INDEX datasets_by_name ON datasets (project_id, name) WHERE deleted_at IS NULL;

CREATE TABLE commits (
    dataset_id         TEXT NOT NULL REFERENCES datasets (id),
    id                 BIGINT NOT NULL,
    previous           BIGINT NOT NULL, -- the head that it was made on; 0: none
    mode               TEXT NOT NULL,
    message            TEXT NOT NULL,
    user_name          TEXT NOT NULL,
    created_at         BIGINT NOT NULL,
    parent_commit_id   BIGINT, -- of a rollback: the commit that it undoes
    rollback_commit_id BIGINT, -- the rollback that undid it and stands
    records_added      BIGINT NOT NULL,
    records_removed    BIGINT NOT NULL,
    records_modified   BIGINT NOT NULL,
    records_total      BIGINT NOT NULL,
    hash               TEXT NOT NULL,
    tag                BIGINT NOT NULL, -- the _commit that its rows bear
    metadata           TEXT NOT NULL,
    params             TEXT NOT NULL,
    schema_id          TEXT NOT NULL REFERENCES documents (id), -- after it, as the next
    properties_id      TEXT NOT NULL REFERENCES documents (id),
    PRIMARY KEY (dataset_id, id)
);
CREATE INDEX commits_by_time ON commits (dataset_id, created_at);

-- Data files and rollback files. Immutable; entries tell whom they serve and when.
CREATE TABLE files (
    id         BIGINT PRIMARY KEY,
    dataset_id TEXT NOT NULL, -- that wrote it
    commit_id  BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    object_key TEXT NOT NULL,
    row_count  BIGINT NOT NULL,
    byte_count BIGINT NOT NULL,
    checksum   TEXT NOT NULL, -- SHA-256
    schema_id  TEXT NOT NULL REFERENCES documents (id), -- its columns
    key_bounds TEXT NOT NULL, -- JSON: least and greatest value of the first key column; null where not kept
    targets    TEXT NOT NULL, -- JSON, of a rollback file: rows displaced from each file, by file id
    stats      TEXT NOT NULL  -- JSON: count and sum or counts by category, by field id
);

-- Liveness: the file serves the dataset from commit begin_commit until before end_commit.
CREATE TABLE entries (
    dataset_id   TEXT NOT NULL REFERENCES datasets (id),
    file_id      BIGINT NOT NULL REFERENCES files (id),
    begin_commit BIGINT NOT NULL,
    end_commit   BIGINT NOT NULL, -- 9223372036854775807: it is live
    PRIMARY KEY (dataset_id, file_id, begin_commit)
);
CREATE INDEX entries_by_begin ON entries (dataset_id, begin_commit);
CREATE INDEX entries_by_end ON entries (dataset_id, end_commit);

CREATE TABLE versions (
    id          BIGINT PRIMARY KEY,
    dataset_id  TEXT NOT NULL REFERENCES datasets (id),
    major       BIGINT NOT NULL,
    minor       BIGINT NOT NULL,
    patch       BIGINT NOT NULL,
    commit_id   BIGINT NOT NULL,
    description TEXT NOT NULL,
    is_active   BOOLEAN NOT NULL,
    user_name   TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    UNIQUE (dataset_id, major, minor, patch)
);

CREATE TABLE savepoints (
    id          TEXT PRIMARY KEY,
    dataset_id  TEXT NOT NULL REFERENCES datasets (id),
    number      BIGINT NOT NULL,
    commit_id   BIGINT NOT NULL,
    description TEXT NOT NULL,
    user_name   TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    UNIQUE (dataset_id, number)
);

-- Answers to requests that have an Idempotency-Key, written in the transaction that did the work.
CREATE TABLE receipts (
    user_name   TEXT NOT NULL,
    request_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL, -- of method, target and body
    answer      TEXT NOT NULL, -- JSON
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (user_name, request_key)
);

-- Work that was answered with 202.
CREATE TABLE jobs (
    id         TEXT PRIMARY KEY,
    progress   BIGINT NOT NULL, -- 0 to 100; -1: failed
    message    TEXT NOT NULL,
    answer     TEXT NOT NULL, -- JSON, of work that is done
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE backups (
    id          TEXT PRIMARY KEY,
    dataset_id  TEXT NOT NULL REFERENCES datasets (id),
    commit_id   BIGINT NOT NULL,
    version     TEXT NOT NULL, -- the ref that was asked for
    description TEXT NOT NULL,
    object_key  TEXT NOT NULL,
    byte_count  BIGINT NOT NULL,
    checksum    TEXT NOT NULL,
    user_name   TEXT NOT NULL,
    created_at  BIGINT NOT NULL
);

-- +goose Down
DROP TABLE backups;
DROP TABLE jobs;
DROP TABLE receipts;
DROP TABLE savepoints;
DROP TABLE versions;
DROP TABLE entries;
DROP TABLE files;
DROP TABLE commits;
DROP TABLE datasets;
DROP TABLE documents;
DROP TABLE families;
DROP TABLE sequences;
