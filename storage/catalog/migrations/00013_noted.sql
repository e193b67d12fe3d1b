-- +goose Up

-- What of a dataset's directories is recorded here: everything, as they were at these times, and its commits up to one.
CREATE TABLE noted (
	dataset_id  TEXT PRIMARY KEY,
	stamps      TEXT NOT NULL,
	last_commit BIGINT NOT NULL
);

-- +goose Down
DROP TABLE noted;
