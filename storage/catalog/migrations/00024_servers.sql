-- +goose Up

-- changed grows with each change of a dataset: its commits, and what is kept beside them. So servers learn of what
-- others have changed.
ALTER TABLE datasets ADD COLUMN changed BIGINT NOT NULL DEFAULT 0;
CREATE INDEX datasets_by_change ON datasets (changed);

-- A job belongs to the server that does it, by the number of its opening of the catalog; 0: it is of an older program.
-- promised are the receipts of the request that asked for it, as JSON.
ALTER TABLE jobs ADD COLUMN server BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN promised TEXT NOT NULL DEFAULT '';
CREATE INDEX unfinished_jobs ON jobs (server) WHERE progress >= 0 AND progress < 100;

-- +goose Down
DROP INDEX unfinished_jobs;
ALTER TABLE jobs DROP COLUMN promised;
ALTER TABLE jobs DROP COLUMN server;
DROP INDEX datasets_by_change;
ALTER TABLE datasets DROP COLUMN changed;
