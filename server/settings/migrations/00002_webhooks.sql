-- +goose Up

-- Where messages about events go. Times are microseconds since 1970, UTC.
CREATE TABLE webhooks (
    id              TEXT PRIMARY KEY,
    url             TEXT NOT NULL,
    secret          TEXT NOT NULL, -- in the clear: every message is signed with it
    description     TEXT NOT NULL,
    kinds           TEXT NOT NULL, -- JSON; empty: all
    project_id      BIGINT NOT NULL, -- 0: of all projects, and of the server
    dataset_id      TEXT NOT NULL, -- empty: of all datasets
    is_enabled      BOOLEAN NOT NULL,
    disabled_reason TEXT NOT NULL, -- if the server disabled it
    failures        BIGINT NOT NULL, -- attempts since the last that succeeded
    failing_since   BIGINT NOT NULL, -- the first of them; 0: none
    paused_until    BIGINT NOT NULL, -- nothing is sent before
    user_name       TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);

-- The messages, in the order in which they were queued.
CREATE TABLE webhook_deliveries (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_id   TEXT NOT NULL, -- which receivers see
    kind       TEXT NOT NULL,
    body       TEXT NOT NULL,
    state      TEXT NOT NULL, -- queued, delivered, failed or dropped
    attempts   BIGINT NOT NULL,
    status     BIGINT NOT NULL, -- of the last answer; 0: none
    problem    TEXT NOT NULL, -- of the last attempt
    created_at BIGINT NOT NULL,
    first_at   BIGINT NOT NULL, -- the first attempt; 0: none yet
    last_at    BIGINT NOT NULL, -- the last attempt; 0: none yet
    next_at    BIGINT NOT NULL, -- of a queued one: when it is due
    UNIQUE (webhook_id, event_id)
);
-- When a webhook's next message is due, and which is the first: queues may be long.
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_at) WHERE state = 'queued';
CREATE INDEX webhook_deliveries_first ON webhook_deliveries (webhook_id, id, next_at) WHERE state = 'queued';
CREATE INDEX webhook_deliveries_by_hook ON webhook_deliveries (webhook_id, id);

-- Up to where the events of a dataset were queued: its last commit, and when it was deleted (0: it is not).
CREATE TABLE webhook_marks (
    dataset_id TEXT PRIMARY KEY,
    commit_id  BIGINT NOT NULL,
    deleted_at BIGINT NOT NULL
);

-- The last version whose event was queued, in the one row.
CREATE TABLE webhook_versions (
    last BIGINT NOT NULL
);
INSERT INTO webhook_versions (last) VALUES (0);

-- What is wrong at the moment and was queued for a webhook: it is queued again only once it was over.
CREATE TABLE webhook_alerts (
    webhook_id TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    PRIMARY KEY (webhook_id, name)
);

-- +goose Down
DROP TABLE webhook_alerts;
DROP TABLE webhook_versions;
DROP TABLE webhook_marks;
DROP TABLE webhook_deliveries;
DROP TABLE webhooks;
