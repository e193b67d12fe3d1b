-- +goose Up

-- audit_head is the last entry of the audit log that is durable: a log that ends before it was cut off.
CREATE TABLE audit_head (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL,
    hash   TEXT NOT NULL
);

-- quotas are what a project may store; NULL: no limit.
CREATE TABLE quotas (
    project_id  INTEGER PRIMARY KEY,
    max_bytes   INTEGER,
    max_records INTEGER
);

-- +goose Down
DROP TABLE quotas;
DROP TABLE audit_head;
