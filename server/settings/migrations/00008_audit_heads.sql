-- +goose Up

-- audit_heads are the last entries of audit logs that are durable: a log that ends before its own was cut off. Each data
-- directory has a log, and servers that share these settings may have directories of their own.
CREATE TABLE audit_heads (
    directory TEXT PRIMARY KEY, -- its id in store.json; empty: the only one
    number    BIGINT NOT NULL,
    hash      TEXT NOT NULL
);
INSERT INTO audit_heads (directory, number, hash) SELECT '', number, hash FROM audit_head;
DROP TABLE audit_head;

-- +goose Down
CREATE TABLE audit_head (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL,
    hash   TEXT NOT NULL
);
INSERT INTO audit_head (id, number, hash) SELECT 1, number, hash FROM audit_heads WHERE directory = '';
DROP TABLE audit_heads;
