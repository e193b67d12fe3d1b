-- +goose Up

-- Files that clients have uploaded to use later, which are in the bucket that several servers share, by the database's
-- clock.
CREATE TABLE uploads (
    id          TEXT PRIMARY KEY,
    uploader    TEXT NOT NULL,
    name        TEXT NOT NULL,
    format      TEXT NOT NULL,
    size        BIGINT NOT NULL, -- -1: it is not there yet
    uploaded_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE uploads;
