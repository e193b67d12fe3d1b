-- +goose Up

-- JSON: the changes of the schema, and the columns in which records lost values; empty: made before they were kept.
ALTER TABLE commits ADD COLUMN effects TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE commits DROP COLUMN effects;
