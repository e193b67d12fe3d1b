-- +goose Up

-- Proposals ask that one dataset (source_id) be merged into another (dataset_id). body has what people wrote, as JSON.
CREATE TABLE proposals (
    dataset_id      TEXT NOT NULL REFERENCES datasets (id),
    number          BIGINT NOT NULL,
    source_id       TEXT NOT NULL,
    state           TEXT NOT NULL,
    revision        BIGINT NOT NULL,
    merge_commit_id BIGINT NOT NULL,
    user_name       TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    body            TEXT NOT NULL,
    PRIMARY KEY (dataset_id, number)
);
CREATE INDEX proposals_by_source ON proposals (source_id);

-- +goose Down
DROP TABLE proposals;
