-- +goose Up

-- needs is the version of the tables that a program must know to work with them, in the one row, and settings that of
-- the tables of the settings, which are beside these. What later versions have more are additions, which it need not
-- know: so servers of two versions of the program work beside each other.
CREATE TABLE compatibility (
    needs    BIGINT NOT NULL,
    settings BIGINT NOT NULL
);
INSERT INTO compatibility (needs, settings) VALUES (26, 9);

-- +goose Down
DROP TABLE compatibility;
