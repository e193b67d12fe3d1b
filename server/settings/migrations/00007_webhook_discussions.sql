-- +goose Up

-- Up to where the events of the discussion of a comparison were queued: how often it had been written, and the last entry.
CREATE TABLE webhook_discussions (
    dataset_id    TEXT NOT NULL,
    from_commit   BIGINT NOT NULL,
    to_dataset_id TEXT NOT NULL,
    to_commit     BIGINT NOT NULL,
    revision      BIGINT NOT NULL,
    entry         BIGINT NOT NULL,
    PRIMARY KEY (dataset_id, from_commit, to_dataset_id, to_commit)
);

-- What was said before is not told: earlier versions sent no messages about it. One row.
CREATE TABLE webhook_discussions_since (
    at BIGINT NOT NULL
);
INSERT INTO webhook_discussions_since (at) VALUES (CAST(strftime('%s', 'now') AS BIGINT) * 1000000);

-- +goose Down
DROP TABLE webhook_discussions_since;
DROP TABLE webhook_discussions;
