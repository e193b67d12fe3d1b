-- +goose Up

-- head is what lists show of a proposal: body with the standing approvals alone, and how much was said. Empty: body is
-- read instead, until the proposal changes.
ALTER TABLE proposals ADD COLUMN head TEXT NOT NULL DEFAULT '';

-- Discussions are what people say about the difference between two states, the second of which may be another dataset's
-- of the family. body has the entries, as JSON.
CREATE TABLE discussions (
    dataset_id    TEXT NOT NULL REFERENCES datasets (id),
    from_commit   BIGINT NOT NULL,
    to_dataset_id TEXT NOT NULL,
    to_commit     BIGINT NOT NULL,
    revision      BIGINT NOT NULL,
    comments      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    body          TEXT NOT NULL,
    PRIMARY KEY (dataset_id, from_commit, to_dataset_id, to_commit)
);

-- +goose Down
DROP TABLE discussions;
ALTER TABLE proposals DROP COLUMN head;
