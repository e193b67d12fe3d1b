-- +goose Up

-- The servers that opened the catalog, where several can. One is alive as long as its session holds its lock.
CREATE TABLE servers (
    id    BIGINT PRIMARY KEY,
    name  TEXT NOT NULL, -- for people
    since BIGINT NOT NULL
);

-- Commits that were published and did not come to stand. A commit is in here or among the commits, and never in both:
-- so a server that takes one back and a start that finds its description agree.
CREATE TABLE withdrawn (
    commit_id    BIGINT PRIMARY KEY,
    withdrawn_at BIGINT NOT NULL
);

-- What store.json in the bucket calls who writes there: all servers that have this catalog.
ALTER TABLE store ADD COLUMN directory TEXT NOT NULL DEFAULT '';

-- era grows when what servers keep in memory of a family's files is not so any more: rows were removed, or files were
-- compacted.
ALTER TABLE families ADD COLUMN era BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE families DROP COLUMN era;
ALTER TABLE store DROP COLUMN directory;
DROP TABLE withdrawn;
DROP TABLE servers;
