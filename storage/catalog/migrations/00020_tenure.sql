-- +goose Up

-- Which server has the catalog, in the one row, where it is in a database that several can reach: the epoch grows with
-- each that takes it over, and one that finds another epoch than its own has lost it.
CREATE TABLE tenure (
    epoch  BIGINT NOT NULL,
    server TEXT NOT NULL, -- for people
    since  BIGINT NOT NULL
);
INSERT INTO tenure (epoch, server, since) VALUES (0, '', 0);

-- +goose Down
DROP TABLE tenure;
