-- +goose Up

-- Whose objects the catalog indexes: the id in store.json. A catalog of another store is refused.
CREATE TABLE store (
    id TEXT NOT NULL
);

-- +goose Down
DROP TABLE store;
