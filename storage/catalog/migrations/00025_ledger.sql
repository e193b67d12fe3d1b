-- +goose Up

-- What servers that share a catalog and a bucket note for each other, should they not come back.

-- Batches that were about to be published, by the database's clock. commit_id is 0 where it is not of a commit.
CREATE TABLE intents (
    object_key  TEXT PRIMARY KEY,
    dataset_id  TEXT NOT NULL,
    commit_id   BIGINT NOT NULL,
    description TEXT NOT NULL, -- the file that publishes it
    noted_at    BIGINT NOT NULL
);
CREATE INDEX intents_by_time ON intents (noted_at);

-- What a server could not take back yet, as JSON.
CREATE TABLE owed (
    server BIGINT NOT NULL,
    number BIGINT NOT NULL,
    debt   TEXT NOT NULL,
    PRIMARY KEY (server, number)
);

-- +goose Down
DROP TABLE owed;
DROP TABLE intents;
