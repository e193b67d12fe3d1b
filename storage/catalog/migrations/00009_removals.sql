-- +goose Up

-- Rows that a fork family lost for ever: what was asked for, and what came of it.
CREATE TABLE removals (
    id         BIGINT PRIMARY KEY, -- of the sequence of commits: it changed those before it
    family_id  TEXT NOT NULL,
    dataset_id TEXT NOT NULL, -- that it was asked for
    kind       TEXT NOT NULL, -- erase or vacuum
    user_name  TEXT NOT NULL,
    reason     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    directory  TEXT NOT NULL, -- of its description and the files that it wrote
    details    TEXT NOT NULL, -- JSON: what was removed and what that affected
    is_done    BOOLEAN NOT NULL -- the files that it replaced are gone
);
CREATE INDEX removals_by_family ON removals (family_id, id);
CREATE INDEX removals_unfinished ON removals (id) WHERE NOT is_done;

-- When records of the state after a commit, or of what it did, were last erased.
ALTER TABLE commits ADD COLUMN erased_at BIGINT;

-- +goose Down
ALTER TABLE commits DROP COLUMN erased_at;
DROP TABLE removals;
