-- +goose Up

-- What was computed of digests, which can be computed again. Of a file, as states see its values (view); of the state
-- after a commit, which is the same in forks.
CREATE TABLE file_digests (
    file_id BIGINT NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    view    TEXT NOT NULL,
    digest  TEXT NOT NULL,
    PRIMARY KEY (file_id, view)
);
CREATE TABLE commit_digests (
    commit_id BIGINT PRIMARY KEY,
    digest    TEXT NOT NULL
);

-- +goose Down
DROP TABLE commit_digests;
DROP TABLE file_digests;
