-- +goose Up

-- The SHA-256 of a file that was uploaded to use later; empty: a former version of the program has put it.
ALTER TABLE uploads ADD COLUMN checksum TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE uploads DROP COLUMN checksum;
