-- +goose Up

-- Objects that a server is about to put, which stand with the transaction that it has begun, of those that share a
-- catalog and a bucket. That one forgets the promise; one that is there without such a transaction is recanted.
CREATE TABLE promised (
    object_key TEXT NOT NULL,
    sum        TEXT NOT NULL, -- SHA-256 of the object
    former     TEXT NOT NULL, -- the object before, in base64
    is_new     BOOLEAN NOT NULL, -- there was none
    timeline   BIGINT NOT NULL, -- of the database when it was noted
    PRIMARY KEY (object_key, sum)
);

-- +goose Down
DROP TABLE promised;
