-- +goose Up

-- What the QuartzBio face keeps beside the store: folders, files, and the parameters of imports, exports and
-- migrations. path is that in the project or, of what is about a dataset, the dataset's id.
CREATE TABLE vault_entries (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    project_id BIGINT NOT NULL,
    path       TEXT NOT NULL,
    user_name  TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    document   TEXT NOT NULL
);
CREATE INDEX vault_entries_by_project ON vault_entries (kind, project_id);
CREATE INDEX vault_entries_by_path ON vault_entries (kind, path);

-- +goose Down
DROP TABLE vault_entries;
