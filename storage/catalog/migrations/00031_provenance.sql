-- +goose Up

-- What the lineage of commits and versions is found by: each row is one thing that one of them was made from.
CREATE TABLE provenance (
    kind       TEXT NOT NULL, -- storage/lineage: source, sha256, input, model …; lineage: that there is one
    value      TEXT NOT NULL,
    dataset_id TEXT NOT NULL,
    commit_id  BIGINT NOT NULL, -- of a version: the commit that it names
    version_id BIGINT NOT NULL, -- 0: the commit itself says so
    PRIMARY KEY (kind, value, commit_id, dataset_id, version_id)
);
CREATE INDEX provenance_of ON provenance (dataset_id);

-- +goose Down
DROP TABLE provenance;
