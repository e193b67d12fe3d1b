-- +goose Up

-- Up to where the events of a proposal were queued: how often it had been written, how much had been said in it, and its
-- state.
CREATE TABLE webhook_proposals (
    dataset_id TEXT NOT NULL,
    number     BIGINT NOT NULL,
    revision   BIGINT NOT NULL,
    entries    BIGINT NOT NULL,
    state      TEXT NOT NULL,
    PRIMARY KEY (dataset_id, number)
);

-- What happened to proposals before is not told: earlier versions sent no messages about it. One row.
CREATE TABLE webhook_proposals_since (
    at BIGINT NOT NULL
);
INSERT INTO webhook_proposals_since (at) VALUES (CAST(strftime('%s', 'now') AS BIGINT) * 1000000);

-- +goose Down
DROP TABLE webhook_proposals_since;
DROP TABLE webhook_proposals;
